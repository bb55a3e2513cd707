import type { ArticlesWorld } from '../chaos/articles-world.ts'
import type { SteadyWrites } from '../chaos/steady-writes.ts'

/** What every row asks in the end. All zeros is what sluice promises. */
export interface FinalFigures {
  readonly writes: number
  /** How long the daemons took to work off what was left, milliseconds. */
  readonly drainedMs: number
  /** Rows that should have a document, counted for each document that is made of them. */
  readonly documents: number
  readonly missing: number
  readonly stale: number
  readonly extra: number
  /** Failures that were ever written to sync_failed, and how many of those were dead. */
  readonly charged: number
  readonly dead: number
  readonly [name: string]: number
}

/**
 * The application stops, the queue drains, every row is compared with its documents, and it is asked what was ever
 * charged. `more`: problems that the row has found itself.
 */
export async function conclude(
  world: ArticlesWorld,
  { writes, more, say }: { writes: SteadyWrites; more: readonly string[]; say: (text: string) => void },
): Promise<{ figures: FinalFigures; problems: readonly string[] }> {
  await writes.stop()
  const began = performance.now()
  const drained = await world.drained()
  const drainedMs = Math.round(performance.now() - began)
  say('comparing every row with its documents')
  const { documents, missing, stale, extra, examples } = await world.compareAll()
  const charged = await world.chargedEver()
  const problems = [
    ...more,
    ...(drained ? [] : ['the queue did not drain']),
    ...(missing + stale + extra > 0 ? ['rows and documents do not agree', ...examples] : []),
    ...(charged.dead > 0 ? [`${charged.dead} dead letters`, ...charged.examples] : []),
    ...writes.errors.map((error) => `the application failed: ${error}`),
    ...world.daemons.failures,
  ]
  await world.end(problems)
  const counts = { documents, missing, stale, extra, charged: charged.count, dead: charged.dead }
  return { figures: { writes: writes.count, drainedMs, ...counts }, problems }
}
