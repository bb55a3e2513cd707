import { escapeIdentifier } from 'pg'
import { FailedError } from '../errors.ts'
import { inTransaction } from '../postgres/transaction.ts'
import type { Queryable } from '../postgres/types.ts'
import { advance } from './advance.ts'
import { type CompareRequest, compareAgain, compareAll } from './compare.ts'
import type { Place } from './compare-places.ts'
import { type Comparison, differenceCount } from './comparison.ts'
import type { RunWork } from './context.ts'
import { isDrained, waitFor } from './pacing.ts'
import { rewrite } from './rewrite.ts'
import type { Run, RunCursor } from './types.ts'
import { readVerifyOptions } from './verify-options.ts'
import { Repair } from './verify-repair.ts'

/**
 * A verify tells whether the index equals the tables. Steps: compare → drain. It is done whether it found differences or
 * not; they are in `sync_run.result`.
 *
 * With `repair`, what differs is marked while it is found, the marks are drained by the pipeline, and what differed is
 * looked at once more: `left` of the result. After a crash a comparison begins anew (it marks again, which costs
 * time and is never wrong), and a repair drains on; what differed is not known then, so all is compared once more.
 */
export async function verify(work: RunWork, run: Run): Promise<string | null> {
  const options = readVerifyOptions(run.options)
  if (options.repair === 'rewrite') return rewrite(work, run)
  const { deep, sample } = options
  const request = { deep, sample }
  if (run.cursor?.step === 'drain') return drain(work, run, request, null)

  const begun = await begin(work, run)
  const repair = options.repair === undefined ? null : new Repair(work, begun, options)
  const { comparison, places } = await compareAll(work, begun, {
    ...request,
    ...(repair === null ? {} : { found: (differences) => repair.add(differences) }),
  })
  if (repair === null || differenceCount(comparison) === 0) {
    await writeComparison(work.pool, work.schema, begun, comparison)
    return report(comparison.warnings)
  }
  const marked = repair.run
  const drained = await inTransaction(work.pool, async (client) => {
    await writeComparison(client, work.schema, begun, comparison)
    return advance(client, work.schema, marked, { to: { ...COMPARING, step: 'drain' } })
  })
  return drain(work, { ...drained, result: { comparison } }, request, { places, repair })
}

/** A comparison is begun anew by whoever takes it over: the cursor says only that it has begun. */
const COMPARING: RunCursor = { step: 'compare', after: null, counted: 'estimate', warning: null }

interface Repaired {
  /** What differed; null: too many to keep. */
  readonly places: readonly Place[] | null
  readonly repair: Repair
}

async function drain(
  work: RunWork,
  run: Run,
  request: CompareRequest,
  repaired: Repaired | null,
): Promise<string | null> {
  const { pool, schema } = work
  await waitFor(work, run, isDrained)
  const found = run.result?.comparison
  if (found === undefined) throw new FailedError('what was to be repaired is not known: its result is gone')
  const refused = (await repaired?.repair.deleteForeign()) ?? []
  const places = repaired?.places ?? null
  const { missing, stale, extra, examples, warnings } =
    places === null
      ? (await compareAll(work, run, request)).comparison
      : await compareAgain(work, run, request, places)
  const all = [...new Set([...found.warnings, ...refused, ...warnings])]
  const left = { missing, stale, extra, examples }
  await writeComparison(pool, schema, run, { ...found, warnings: all, left })
  return report(all)
}

/** Not resumable: what an earlier attempt had looked at counts for nothing. */
function begin({ pool, schema }: RunWork, run: Run): Promise<Run> {
  return inTransaction(pool, async (client) => {
    const begun = await advance(client, schema, run, { to: COMPARING, restart: true })
    await client.query(
      `UPDATE ${escapeIdentifier(schema)}.sync_run SET processed = 0, result = NULL WHERE id = $1`,
      [run.id],
    )
    return { ...begun, processed: 0, result: null }
  })
}

async function writeComparison(
  db: Queryable,
  schema: string,
  { id, worker }: Run,
  comparison: Comparison,
): Promise<void> {
  await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_run SET result = $3 WHERE id = $1 AND worker = $2`,
    [id, worker, JSON.stringify({ comparison })],
  )
}

function report(warnings: readonly string[]): string | null {
  return warnings.length === 0 ? null : warnings.join('; ')
}
