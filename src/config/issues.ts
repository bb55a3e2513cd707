import type { z } from 'zod'
import { suggest } from '../catalog/suggest.ts'
import { type Problem, show } from './problems.ts'
import { redactUrl } from './redact.ts'
import {
  adminSchema,
  alertsSchema,
  brakeSchema,
  configSchema,
  connectionSchema,
  documentSchema,
  limitsSchema,
  relationSchema,
  scheduleSchema,
  throughSchema,
} from './schema.ts'

/** A zod issue in our words. Issues of a union are those of the branch that came furthest. */
export function problemsOf(issue: z.core.$ZodIssue, config: unknown): Problem[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...issue.path, key]))
    case 'invalid_union': {
      const branch = furthest(issue.errors)
      if (branch === undefined) return [problem(issue.path, issue.message, config)]
      return branch.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }, config))
    }
    case 'invalid_key':
      return [
        {
          where: pathText(issue.path),
          what: `got ${show(issue.path.at(-1))}, expected ${issue.issues[0]?.message ?? 'another name'}`,
        },
      ]
    default:
      return [problem(issue.path, issue.message, config)]
  }
}

function problem(path: readonly PropertyKey[], expected: string, config: unknown): Problem {
  const value = path.reduce<unknown>((inner, key) => property(inner, key), config)
  const where = path.length === 0 ? 'the configuration' : pathText(path)
  const what = value === undefined ? 'is missing' : `got ${showAt(path, value)}`
  return { where, what: `${what}, expected ${expected}` }
}

function unknownKey(path: readonly PropertyKey[]): Problem {
  const known = knownKeys(path.slice(0, -1))
  return {
    where: pathText(path),
    what: `is not a known key${suggest(String(path.at(-1)), known)}`,
    remedy: `Known here: ${known.join(', ')}.`,
  }
}

function knownKeys(path: readonly PropertyKey[]): string[] {
  const schemas: Readonly<Record<string, { readonly shape: object }>> = {
    connection: connectionSchema,
    limits: limitsSchema,
    admin: adminSchema,
    alerts: alertsSchema,
  }
  if (path.length === 0) return Object.keys(configSchema.shape)
  if (path[0] === 'schedules') return Object.keys(scheduleSchema.shape)
  if (path[0] === 'documents') return knownInDocument(path.slice(2), documentSchema.shape)
  return Object.keys(schemas[String(path[0])]?.shape ?? {})
}

/** `path` leads on from a document or a relation of that shape. */
function knownInDocument(path: readonly PropertyKey[], shape: object): string[] {
  const [key, , ...rest] = path
  if (key === undefined) return Object.keys(shape)
  if (key === 'relations') return knownInDocument(rest, relationSchema.shape)
  if (key === 'through') return Object.keys(throughSchema.shape)
  return key === 'brake' ? Object.keys(brakeSchema.shape) : ['sql']
}

/** The branch that got deepest before it failed; among equals none, and the union's own message says it better. */
function furthest(
  branches: readonly (readonly z.core.$ZodIssue[])[],
): readonly z.core.$ZodIssue[] | undefined {
  const depth = (issues: readonly z.core.$ZodIssue[]) => Math.max(...issues.map(({ path }) => path.length))
  const [best, second] = branches.toSorted((a, b) => depth(b) - depth(a))
  return best !== undefined && (second === undefined || depth(best) > depth(second)) ? best : undefined
}

/** What may hold a credential somewhere: the configuration as a whole, and these of its parts. */
const secretive: ReadonlySet<unknown> = new Set([undefined, 'connection', 'admin', 'alerts'])

/** Never a credential: errors end in logs and in issue trackers. */
function showAt([part, key]: readonly PropertyKey[], value: unknown): string {
  const hidden = `a ${typeof value === 'string' ? 'text' : 'value'} that is not shown`
  if (key === undefined && secretive.has(part)) {
    return typeof value === 'string' || (Array.isArray(value) && value.length > 0) ? hidden : show(value)
  }
  if (part === 'connection') {
    if (key === 'elasticsearchCaFile') return show(value)
    const isUrl = (key === 'postgres' || key === 'elasticsearch') && typeof value === 'string'
    return isUrl ? show(redactUrl(value)) : hidden
  }
  const isSecret = (part === 'admin' && key === 'token') || (part === 'alerts' && key === 'webhook')
  return isSecret ? hidden : show(value)
}

/** `documents.city.fields.geo\.lat`: a key that holds a dot is written in brackets. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, n) => {
      if (typeof key === 'number') return `[${key}]`
      const name = String(key)
      if (!/^[\w-]+$/.test(name)) return `[${JSON.stringify(name)}]`
      return n === 0 ? name : `.${name}`
    })
    .join('')
}

export function property(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined
}
