import { UsageError } from '../errors.ts'
import { MOST_SAMPLED } from './compare-sample.ts'
import type { RunOptions } from './types.ts'

/** What a verify is to do, checked. */
export type VerifyOptions = Pick<RunOptions, 'repair' | 'deletes'> & {
  readonly deep: boolean
  readonly sample: number | null
}

const KNOWN: ReadonlySet<string> = new Set(['deep', 'sample', 'repair', 'deletes'])
const REPAIRS: ReadonlySet<unknown> = new Set(['all', 'extra', 'rewrite'])

/** Options come from outside (SQL, HTTP). Throws a UsageError that names the wrong one. */
export function readVerifyOptions(options: RunOptions): VerifyOptions {
  const { deep = false, sample, repair, deletes } = options as Readonly<Record<string, unknown>>
  const stray = Object.keys(options).find((name) => !KNOWN.has(name))
  if (stray !== undefined) throw wrong(stray, `no option of a verify: ${[...KNOWN].join(', ')} are`)
  if (typeof deep !== 'boolean') throw wrong('deep', 'true or false is needed')
  if (deletes !== undefined && typeof deletes !== 'boolean') throw wrong('deletes', 'true or false is needed')
  if (sample !== undefined && sample !== null && !isSampleSize(sample)) {
    throw wrong('sample', `a whole number from 1 to ${MOST_SAMPLED.toLocaleString('en-US')} is needed`)
  }
  if (repair !== undefined && !REPAIRS.has(repair))
    throw wrong('repair', '"all", "extra" or "rewrite" is needed')
  return { ...(options as Pick<RunOptions, 'repair' | 'deletes'>), deep, sample: sample ?? null }
}

export function isSampleSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST_SAMPLED
}

function wrong(name: string, what: string): UsageError {
  return new UsageError(what, { where: `options.${name}` })
}
