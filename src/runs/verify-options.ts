import { MOST_SAMPLED } from './compare-sample.ts'
import { readOptions } from './options.ts'
import type { RunOptions } from './types.ts'

/** What a verify is to do, checked. */
export type VerifyOptions = Pick<RunOptions, 'repair' | 'deletes'> & {
  readonly deep: boolean
  readonly sample: number | null
}

/** Options come from outside (SQL, HTTP). Throws a UsageError that names the wrong one. */
export function readVerifyOptions(options: RunOptions): VerifyOptions {
  const { deep = false, sample = null, ...others } = readOptions('verify', options)
  return { ...others, deep, sample }
}

export function isSampleSize(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= MOST_SAMPLED
}
