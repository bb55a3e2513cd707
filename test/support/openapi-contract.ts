import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

/** An answer as it came, for whoever holds it against the document. */
export interface ToHold {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** Its JSON; null where it is none. */
  readonly body: unknown
}

/** What an OpenAPI document says, read by a library that has no part in making it (zod makes it, and the server's own check). */
export interface Contract {
  /** Throws unless the document names this answer: its status, its type, and all that is in it. A page that it does not have may answer errors alone. */
  hold(method: 'GET' | 'POST', path: string, answer: ToHold): void
  /** The same for what one event of a stream holds. */
  holdEvent(path: string, data: unknown): void
  /** Of what was held so far, `GET /api/runs/{id} 200`: the operations as the document has them. */
  readonly held: ReadonlySet<string>
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}
interface Operation {
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, unknown>> }>>
}

const ERROR = ['components', 'schemas', 'Error']

export function contractOf(document: unknown): Contract {
  // Strict: an unknown keyword or a reference that leads nowhere is an error, and not a check that lets all through.
  const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true })
  ajv.addVocabulary(Object.keys(document as object))
  ajv.addSchema({ ...(document as object), $id: 'openapi' }, 'openapi', false, false)
  const { paths } = document as Document
  const held = new Set<string>()

  const at = (...keys: readonly string[]): ValidateFunction => {
    const pointer = keys.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1')))
    const reference = `openapi#/${pointer.join('/')}`
    return ajv.getSchema(reference) ?? ajv.compile({ $ref: reference })
  }
  const refuse = (what: string, problem: string): never => {
    throw new Error(`${what} is not as /api/openapi.json says: ${problem}`)
  }
  const check = (what: string, validate: ValidateFunction, value: unknown) => {
    if (!validate(value))
      refuse(what, `${ajv.errorsText(validate.errors)}\n${JSON.stringify(value).slice(0, 1000)}`)
  }

  return {
    held,
    hold: (method, asked, answer) => {
      const { status } = answer
      const what = `${method} ${asked}, answered with ${status},`
      const path = pathOf(Object.keys(paths), asked)
      if (path === null) {
        if (status >= 400) check(what, at(...ERROR), answer.body)
        return
      }
      const operation = paths[path]?.[method.toLowerCase()] ?? refuse(what, 'there is no such method')
      const content = operation.responses[status]?.content ?? refuse(what, `status ${status} is not named`)
      const [type = ''] = String(answer.headers['content-type']).split(';')
      if (content[type] === undefined) refuse(what, `it has ${type}, and not ${Object.keys(content)}`)
      const value = type === 'application/json' ? answer.body : answer.text
      const place = [
        'paths',
        path,
        method.toLowerCase(),
        'responses',
        String(status),
        'content',
        type,
        'schema',
      ]
      check(what, at(...place), value)
      held.add(`${method} ${path} ${status}`)
    },
    holdEvent: (path, data) => {
      const place = ['responses', '200', 'content', 'text/event-stream', 'schema', 'contentSchema']
      check(`an event of ${path}`, at('paths', path, 'get', ...place), data)
      held.add(`GET ${path} 200`)
    },
  }
}

/** The path of the document that an address is of: `/api/runs/7?x` is of `/api/runs/{id}`. */
function pathOf(paths: readonly string[], asked: string): string | null {
  const [address = ''] = asked.split('?')
  const isOf = (path: string) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(address)
  return paths.find((path) => path === address) ?? paths.find(isOf) ?? null
}
