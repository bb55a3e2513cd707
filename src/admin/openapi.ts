import { z } from 'zod'
import { version } from '../version.ts'
import type { Endpoint } from './endpoint.ts'
import { httpErrorJson } from './json.ts'

type Json = Readonly<Record<string, unknown>>

/** What the endpoints take and answer, as an OpenAPI 3.1 document: its schemas are those that requests and answers are checked with. */
export function openapi(endpoints: readonly Endpoint[]): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const endpoint of endpoints) {
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

function operation(endpoint: Endpoint): Json {
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
  } = endpoint
  const success = {
    description: 'What was asked for',
    content: answer === null ? { [contentType]: {} } : json(schemaOf(answer, 'output')),
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
      default: {
        description: 'Why it was not done',
        content: json({ $ref: '#/components/schemas/Error' }),
      },
    },
  }
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
