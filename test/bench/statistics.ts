/** Numbers about numbers. Pure. */

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('nothing was measured')
  return { median: percentile(values, 0.5), min: Math.min(...values), max: Math.max(...values) }
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** Percentile by linear interpolation between closest ranks (as numpy and Postgres' percentile_cont do). `share` in [0, 1]. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}

/** Rounded to four significant digits: what is behind them is noise. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
