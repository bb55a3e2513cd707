import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { endpoints } from '../../src/admin/endpoints.ts'
import { refusalOf } from '../../src/admin/errors.ts'
import { THRESHOLDS } from '../../src/admin/grade.ts'
import { healthJson, httpErrorJson } from '../../src/admin/json.ts'
import { openapi } from '../../src/admin/openapi.ts'
import { adminSchema } from '../../src/config/schema.ts'
import { type Variable, variables } from '../../src/config/variables.ts'
import {
  ConfigError,
  DocumentQueryError,
  FailedError,
  SchemaError,
  UnreachableError,
  UsageError,
} from '../../src/errors.ts'
import * as sluice from '../../src/index.ts'

const page = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8')

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Shape }>> }
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: Shape }>> }>
  >
  readonly security: readonly object[]
}
interface Shape {
  readonly properties?: Readonly<Record<string, unknown>>
  readonly contentSchema?: Shape
}
const document = openapi(endpoints) as unknown as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
)

describe('the OpenAPI document', () => {
  test('survives a trip through JSON, and has every endpoint', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document)
    // And itself.
    expect(operations).toHaveLength(endpoints.length + 1)
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test.each(operations)(
    '$method $path names its parameters, answers and who may',
    ({ method, path, operation }) => {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const stated = operation.parameters.filter((parameter) => parameter.in === 'path')
      expect(stated.map(({ name }) => name)).toEqual(inPath)
      expect(stated.every(({ required }) => required)).toBe(true)
      const statuses = Object.keys(operation.responses)
      expect(statuses).toEqual(expect.arrayContaining(['400', '401', '421', '429', '500', '503', 'default']))
      expect(statuses.includes('403')).toBe(method === 'POST')
      if (inPath.length > 0) expect(statuses).toContain('404')
      for (const { content } of Object.values(operation.responses)) {
        for (const { schema } of Object.values(content)) expect(Object.keys(schema)).not.toEqual([])
      }
      expect(operation.security).toEqual(method === 'POST' ? [{ token: [] }] : [{}, { token: [] }])
      expect(operation.requestBody !== undefined).toBe(method === 'POST')
    },
  )
})

test('each event of the stream has its schema', () => {
  const answer = document.paths['/api/events']?.get?.responses['200']
  const event = answer?.content['text/event-stream']?.schema.contentSchema
  expect(Object.keys(event?.properties ?? {})).toEqual(['at', 'health', 'known', 'problem'])
})

test('the schema of every answer is exported by the package', () => {
  const exported = new Set<unknown>(Object.values(sluice))
  const missing = endpoints.filter(({ answer, event }) => {
    const schema = answer ?? event
    return schema !== undefined && !exported.has(schema)
  })
  expect(missing.map(({ method, path }) => `${method} ${path}`)).toEqual([])
  expect(exported).toContain(httpErrorJson)
})

describe('docs/http.md', () => {
  /** As the page has it: `GET /api/runs/:id`, what it is, and what it takes. */
  const rows = operations.map(({ method, path, operation }) => {
    const query = operation.parameters.filter((one) => one.in === 'query').map(({ name }) => name)
    const body = Object.keys(operation.requestBody?.content['application/json']?.schema.properties ?? {})
    const takes = [...query, ...body].map((name) => `\`${name}\``).join(', ')
    return `| \`${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}\` | ${operation.summary} | ${takes} |`
  })

  test.each(rows)('has %s', (row) => {
    expect(page).toContain(row)
  })

  test('has no other page', () => {
    const listed = [...page.matchAll(/^\| `((?:GET|POST) [^`]+)`/gm)].map(([, name]) => name)
    expect(listed).toHaveLength(rows.length)
  })

  test('names every code of an error, every component of health, and its thresholds', () => {
    const codes: z.ZodEnum = httpErrorJson.shape.error.shape.code
    for (const code of codes.options) expect(page).toContain(`\`${code}\``)
    for (const name of Object.keys(healthJson.shape.components.shape))
      expect(page).toContain(`| \`${name}\` |`)
    const { lateMs, pendingKeys, errorRate, differences } = THRESHOLDS
    expect(page).toContain(`${lateMs.degraded / 1000} s | ${lateMs.critical / 1000} s`)
    expect(page).toContain(`${pendingKeys.degraded.toLocaleString('en-US')} | `)
    expect(page).toContain(`${errorRate.degraded * 100} % | ${errorRate.critical * 100} %`)
    expect(page).toContain(`any | ${differences.critical * 100} %`)
  })

  test('has every setting with its key and its default', () => {
    const rows = [...page.matchAll(/^\| `(ADMIN_\w+)` \| `admin\.(\w+)` \| ([^|]+) \|/gm)].map((row) =>
      row.slice(1),
    )
    const { adminHost, adminPort, adminToken, adminHosts, adminTrustedProxies } = variables
    const known = {
      host: adminHost,
      port: adminPort,
      token: adminToken,
      hosts: adminHosts,
      trustedProxies: adminTrustedProxies,
    }
    expect(Object.keys(known)).toEqual(Object.keys(adminSchema.shape))
    expect(rows).toEqual(
      Object.entries(known).map(([key, variable]: [string, Variable]) => [
        variable.name,
        key,
        String(variable.default ?? 'none'),
      ]),
    )
  })

  test('has every status with the codes that it is answered with, and no other', () => {
    const table = /\| status \| code \|\n([\s\S]*?)\n\n/.exec(page)?.[1] ?? ''
    const listed = [...table.matchAll(/^\| (\d{3}) \| (.*) \|$/gm)].flatMap(([, status, text = '']) =>
      // A code stands at the beginning of what is said of it; other words in code are headers and pages.
      [...text.replaceAll(/: [^;]*/g, '').matchAll(/`([a-z-]+)`/g)].map(([, code]) => `${status} ${code}`),
    )
    expect(listed.toSorted()).toEqual([...new Set([...thrown(), ...foreseen()])].toSorted())
  })
})

const source = new URL('../../src/admin/', import.meta.url)

/** Status and code of each `new HttpError(…)`, by the source. */
function thrown(): readonly string[] {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const texts = files.map((name) => readFileSync(new URL(name, source), 'utf8'))
  const made = texts.flatMap((text) => [...text.matchAll(/new HttpError\(\s*([^,)]+),\s*'([a-z-]+)'/g)])
  expect(made).toHaveLength(texts.join('').split('new HttpError(').length - 1)
  return made.map(([, status, code]) => `${status} ${code}`)
}

/** What else is answered: our errors, what fastify refuses, and a fault. */
function foreseen(): readonly string[] {
  const refused = (statusCode: number) => Object.assign(new Error('of fastify'), { statusCode })
  const errors = [
    ...[ConfigError, UsageError, UnreachableError, SchemaError, DocumentQueryError, FailedError].map(
      (Kind) => new Kind('x'),
    ),
    ...[400, 413, 415, 429].map(refused),
    new Error('a fault'),
  ]
  return errors.map((error) => {
    const { status, answer } = refusalOf(error, '1')
    return `${status} ${answer.error.code}`
  })
}
