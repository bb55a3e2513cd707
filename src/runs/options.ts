import { z } from 'zod'
import { suggest } from '../catalog/suggest.ts'
import { count } from '../counts.ts'
import { UsageError } from '../errors.ts'
import { MOST_SAMPLED } from './compare-sample.ts'
import type { RunKind, RunOptions } from './types.ts'

/**
 * What may stand in `sync_run.options`, by kind. The row comes from outside: by SQL (`INSERT INTO sluice.sync_run (kind,
 * document, options) …`) nothing looks at it before a daemon executes it. A new kind of run adds its options here.
 */
const text = z.string().min(1)
const SHAPES = {
  backfill: { since: text, column: text, where: text, tenant: z.string() },
  reindex: {
    keepMs: z.number().int().nonnegative(),
    rollback: z.boolean(),
    adopt: z.boolean(),
    recreate: z.boolean(),
    alias: text,
  },
  verify: {
    deep: z.boolean(),
    sample: z.number().int().positive().max(MOST_SAMPLED),
    repair: z.enum(['all', 'extra', 'rewrite']),
    deletes: z.boolean(),
  },
  optimize: { threshold: z.number().min(0).max(1) },
} as const satisfies Readonly<Record<RunKind, Partial<Record<keyof RunOptions, z.ZodType>>>>

const EXPECTED: Readonly<Record<keyof RunOptions, string>> = {
  since: 'a text: an interval ("2 hours") or a timestamp',
  column: 'the name of a column',
  where: 'a text: an SQL condition over one row',
  tenant: 'a text',
  keepMs: 'whole milliseconds from 0 on',
  rollback: 'true or false',
  adopt: 'true or false',
  recreate: 'true or false',
  alias: 'the name of an alias',
  deep: 'true or false',
  sample: `a whole number from 1 to ${count(MOST_SAMPLED)}`,
  deletes: 'true or false',
  repair: '"all", "extra" or "rewrite"',
  threshold: 'a number from 0 to 1',
}

/**
 * The options of a run as they are stored → as its kind takes them. Throws a UsageError that names the option: an unknown
 * one (a misspelt `whre` would otherwise take all rows), or a value of another type.
 */
export function readOptions(kind: RunKind, options: unknown): RunOptions {
  const where = 'options'
  const parsed = z.strictObject(SHAPES[kind]).partial().safeParse(options)
  // JSON has no undefined: what is there has a value.
  if (parsed.success) return parsed.data as RunOptions
  const known = Object.keys(SHAPES[kind])
  const [issue] = parsed.error.issues
  if (issue?.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    throw new UsageError(`${kind} has no option "${key}"${suggest(key, known)}`, {
      where,
      remedy: `Its options: ${known.join(', ')}.`,
    })
  }
  const name = issue?.path[0]
  if (typeof name !== 'string' || !(name in EXPECTED)) {
    throw new UsageError(`got ${JSON.stringify(options)}, a JSON object is needed`, { where })
  }
  const value = (options as Readonly<Record<string, unknown>>)[name]
  throw new UsageError(`got ${JSON.stringify(value)}, ${EXPECTED[name as keyof RunOptions]} is needed`, {
    where: `${where}.${name}`,
  })
}
