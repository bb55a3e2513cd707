import type { Run } from './types.ts'

/** Where a run stands, for people. */
export interface RunProgress {
  /** Keys the run comes to; null until it has begun. */
  readonly total: number | null
  /** Whether `total` was counted. It is, once the walk is over. */
  readonly exact: boolean
  /** Keys in the index, or answered otherwise. */
  readonly done: number
  /** Keys per second, lately; null before anything can be said. */
  readonly perSecond: number | null
  readonly remainingMs: number | null
}

/** How far a run had come at a moment of its life (`Run.elapsedMs`: the database's clock). */
export interface Sample {
  readonly elapsedMs: number
  readonly processed: number
}

/** The rate is that of the last ten seconds: a backfill slows down when the site is busy, and the rest will be like now. */
const WINDOW_MS = 10_000

/** Adds a look at a run to the samples, and forgets those too old to matter. */
export function sampled(samples: readonly Sample[], run: Run): readonly Sample[] {
  const { elapsedMs, processed } = run
  if (elapsedMs === null) return samples
  return [...samples.filter((sample) => sample.elapsedMs >= elapsedMs - WINDOW_MS), { elapsedMs, processed }]
}

/**
 * Progress from the present row and earlier looks. `done` counts outcomes, not marks: what is on its way is not done.
 * A key that collapsed with another mark's is never counted for the run, so `done` may end below `total`; a run that is
 * done has done all.
 */
export function runProgress(run: Run, samples: readonly Sample[] = []): RunProgress {
  const total = run.total === null ? null : Math.max(run.total, run.walked)
  const exact = run.cursor?.step === 'drain' || run.cursor?.counted === 'exact'
  const done = run.state === 'done' ? (total ?? 0) : Math.min(run.processed, total ?? run.processed)
  const perSecond = rate(run, samples)
  const remainingMs =
    total === null || perSecond === null || perSecond === 0 ? null : ((total - done) / perSecond) * 1000
  return { total, exact, done, perSecond, remainingMs }
}

function rate(run: Run, samples: readonly Sample[]): number | null {
  const { elapsedMs, processed, finishedAt } = run
  if (elapsedMs === null || elapsedMs === 0) return null
  const [first] = samples
  // A finished run's rate, and the only one there is for a single look: over all its life.
  const from = finishedAt !== null || first === undefined || first.elapsedMs >= elapsedMs ? null : first
  const keys = processed - (from?.processed ?? 0)
  const ms = elapsedMs - (from?.elapsedMs ?? 0)
  return (Math.max(keys, 0) / ms) * 1000
}
