import { z } from 'zod'
import { version } from '../version.ts'
import type { Endpoint } from './endpoint.ts'
import { httpErrorJson } from './json.ts'

type Json = Readonly<Record<string, unknown>>

/** The document itself: of no schema but its own. */
const OWN: Pick<
  Endpoint,
  'method' | 'path' | 'summary' | 'params' | 'query' | 'body' | 'statuses' | 'answer'
> = {
  method: 'GET',
  path: '/api/openapi.json',
  summary: 'What all pages take and answer, as OpenAPI 3.1',
  params: null,
  query: null,
  body: null,
  statuses: [200],
  answer: z.looseObject({ openapi: z.string(), info: z.looseObject({}), paths: z.looseObject({}) }),
}

/** Why something is not done, by status. What is of one page alone its message says. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'It makes no sense, or cannot be read',
  401: 'The token is missing or wrong',
  403: 'No token is set, or a page of another origin asks',
  404: 'There is none of this name',
  409: 'It cannot be done now; where a run is in the way, `run` names it',
  413: 'The body is too large',
  415: 'The body is no JSON',
  421: 'This host does not go by that name',
  429: 'Too many changes or wrong tokens in a minute, or too many watch',
  500: 'A fault of sluice',
  503: 'Postgres or Elasticsearch is away, the schema is another, or the instance stops',
}

/** Those of a page; none that it answers with in the ordinary way. */
function refusalsOf({
  method,
  path,
  params,
  statuses,
}: Pick<Endpoint, 'method' | 'path' | 'params' | 'statuses'>) {
  const named = params !== null || path === '/metrics' || path.startsWith('/api/failures/') ? [404] : []
  const changes = method === 'POST' ? [403, 413, 415] : []
  return [400, 401, ...named, ...changes, 409, 421, 429, 500, 503].filter(
    (status) => !statuses.includes(status),
  )
}

/** What the endpoints take and answer, as an OpenAPI 3.1 document: its schemas are those that requests and answers are checked with. */
export function openapi(endpoints: readonly Endpoint[]): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const endpoint of [...endpoints, OWN]) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(endpoint) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'sluice',
      version,
      description:
        'HTTP for operators. Changes need the token, reads only where it listens for other machines; a request that is refused is answered with an error.',
    },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' } },
      schemas: { Error: schemaOf(httpErrorJson, 'output') },
    },
  }
}

function operation(endpoint: typeof OWN & Partial<Pick<Endpoint, 'contentType' | 'event'>>): Json {
  const {
    method,
    path,
    summary,
    params,
    query,
    body,
    statuses,
    answer,
    contentType = 'text/plain',
    event,
  } = endpoint
  const success = {
    description: 'What was asked for',
    content: answer === null ? { [contentType]: textOf(event) } : json(schemaOf(answer, 'output')),
  }
  return {
    operationId: operationId(method, path),
    summary,
    // Without one: on the machine itself a read needs none.
    security: method === 'POST' ? [{ token: [] }] : [{}, { token: [] }],
    parameters: [...parameters('path', params), ...parameters('query', query)],
    ...(body === null ? {} : { requestBody: { content: json(schemaOf(body, 'input')) } }),
    responses: {
      ...Object.fromEntries(statuses.map((status) => [status, success])),
      ...Object.fromEntries(refusalsOf(endpoint).map((status) => [status, refusal(REFUSALS[status])])),
      default: refusal('Why it was not done'),
    },
  }
}

function refusal(description: string | undefined): Json {
  return { description, content: json({ $ref: '#/components/schemas/Error' }) }
}

/** A text, or a stream of server-sent events with JSON for data. */
function textOf(event: z.ZodType | undefined): Json {
  if (event === undefined) return { schema: { type: 'string' } }
  const description = 'Server-sent events; the data of each is JSON'
  const contentSchema = schemaOf(event, 'output')
  return { schema: { type: 'string', description, contentMediaType: 'application/json', contentSchema } }
}

function json(schema: Json): Json {
  return { 'application/json': { schema } }
}

function parameters(where: 'path' | 'query', schema: z.ZodObject | null): readonly Json[] {
  if (schema === null) return []
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>
    readonly required?: readonly string[]
  }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: required.includes(name),
    schema: property,
  }))
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
  })
  return rest
}

/** `postDocumentsPause` */
function operationId(method: string, path: string): string {
  const words = path.split('/').filter((part) => /^\w/.test(part) && part !== 'api')
  const named = path.includes('/:') && words.length === 1 ? ['one', ...words] : words
  return [method.toLowerCase(), ...named.map((word) => word[0]?.toUpperCase() + word.slice(1))].join('')
}
