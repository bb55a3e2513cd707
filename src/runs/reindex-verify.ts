import { setTimeout as delay } from 'node:timers/promises'
import { escapeIdentifier } from 'pg'
import { count, plural } from '../counts.ts'
import { FailedError } from '../errors.ts'
import { DEFAULT_SHARE } from '../sync/brake.ts'
import { advance } from './advance.ts'
import { compare } from './compare.ts'
import type { RunWork } from './context.ts'
import { assertOurs } from './interrupted.ts'
import { restoredSettings, shardsCame } from './reindex-create.ts'
import { explainedKeys, mainReason, readReadiness } from './reindex-readiness.ts'
import { readStanding } from './standing.ts'
import type { ReindexState, Run, RunCursor } from './types.ts'

/**
 * How long the copies of a new index are waited for. A cluster that cannot hold them says so at once; past this, searches
 * go to what is there.
 */
const COPIES_TIMEOUT_MS = 600_000

/** The settings that the index is to have, and its shards where the cluster can hold them. May be done twice. */
export async function restoreSettings(work: RunWork, run: Run): Promise<void> {
  const { elasticsearch, plan } = work
  const { indices } = stateOf(run).state
  for (const { name } of indices) await elasticsearch.putSettings(name, restoredSettings(plan))
  for (const { name } of indices) await shardsCame(work, name, 'all', COPIES_TIMEOUT_MS)
}

/** What comes after a verify, and what is to be done where it finds differences. */
interface AfterVerify {
  readonly step: 'swap' | 'swapped'
  readonly remedy: string
}

const BEFORE_SWAP: AfterVerify = {
  step: 'swap',
  remedy:
    'The alias was not moved, and the new index is given up. Look at sluice doctor, then start it again.',
}

/**
 * Waits until nothing is parked or retried for the new indices, then holds their ids against the rows. What differs fails the
 * run, with the living index as it was. Two things are let pass:
 * - documents that the new index refuses for good, up to the share that the mass-delete brake lets go (`brake.deletes`): they
 *   are reported;
 * - all differences, where a verify has been asked for that follows this run (after a TRUNCATE, say): it puts both right, and
 *   the living index has them, too.
 */
export async function verifyNew(work: RunWork, run: Run, after: AfterVerify = BEFORE_SWAP): Promise<Run> {
  const { pool, schema, plan } = work
  const { cursor, state } = stateOf(run)
  await quiet(work, run, state)
  const wrong = new Wrong(work)
  const { rows } = await compare(work, run, {
    deep: false,
    sample: null,
    indices: state.indices.map(({ name }) => name),
    found: (differences) => wrong.add(differences),
  })
  const { refused } = await readReadiness(pool, schema, plan.document, state.indices)
  const follows = await verifyFollows(work, run)
  if (!follows) {
    wrong.assertNone(rows, after.remedy)
    if (after.step === 'swap' && refused > (work.definition?.brake?.deletes ?? DEFAULT_SHARE) * rows) {
      const reason = await mainReason(pool, schema, plan.document, state.indices)
      throw tooManyRefused(plan.document, { refused, rows, reason })
    }
  }
  return advance(pool, schema, run, {
    to: { ...cursor, step: after.step, warning: reportOf(refused, follows) },
  })
}

/** Looks twice a second: it may be a while until an index takes writes again, and a run that waits can be cancelled. */
async function quiet({ pool, schema, plan, signal }: RunWork, run: Run, state: ReindexState): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    assertOurs(run, await readStanding(pool, schema, run.id))
    const { parked, retrying } = await readReadiness(pool, schema, plan.document, state.indices)
    if (parked === 0 && retrying === 0) return
    await delay(500, undefined, { signal }).catch(() => undefined)
  }
}

/** What compare finds, a round at a time. */
interface Found {
  readonly kind: 'missing' | 'stale' | 'extra'
  readonly place: { readonly index: string | null; readonly id: string; readonly key: string | null }
}

/** Differences that nothing explains: counted, and a few kept to show. */
class Wrong {
  readonly #work: RunWork
  #count = 0
  readonly #examples: string[] = []

  constructor(work: RunWork) {
    this.#work = work
  }

  async add(differences: readonly Found[]): Promise<void> {
    const { pool, schema, plan } = this.#work
    for (const kind of ['missing', 'extra'] as const) {
      const some = differences.filter((difference) => difference.kind === kind)
      for (const [index, here] of Map.groupBy(some, ({ place }) => place.index ?? '')) {
        const keys = here.flatMap(({ place }) => place.key ?? [])
        const explained = await explainedKeys(pool, schema, plan.document, { kind, index, keys })
        const wrong = here.filter(({ place }) => place.key === null || !explained.has(place.key))
        this.#count += wrong.length
        for (const { place } of wrong.slice(0, 5)) this.#examples.push(`${place.id} is ${kind} in ${index}`)
      }
    }
  }

  assertNone(rows: number, remedy: string): void {
    if (this.#count === 0) return
    const { document } = this.#work.plan
    const shown = this.#examples.slice(0, 5).join(', ')
    throw new FailedError(
      `the new index is not what the rows are: ${this.#count} of ${rows} differ (${shown})`,
      {
        where: document,
        remedy,
      },
    )
  }
}

/** An index that refuses much of what the living one has would leave searches with the rest. The reasons go with the index. */
function tooManyRefused(
  document: string,
  {
    refused,
    rows,
    reason,
  }: { readonly refused: number; readonly rows: number; readonly reason: string | null },
): FailedError {
  const what = `the new index refused ${count(refused)} of ${plural(rows, 'document', 'documents')} that the living one has`
  return new FailedError(reason === null ? what : `${what}, most with ${reason}`, {
    where: document,
    remedy:
      'The alias was not moved, and the new index is given up. Change the mappings, then start it again.',
  })
}

function reportOf(refused: number, follows: boolean): string | null {
  if (follows) return 'differences were not looked for before the swap: a verify that was asked for follows'
  if (refused === 0) return null
  return `the new index refused ${plural(refused, 'document', 'documents')} that the one before has: sluice failed list says why`
}

async function verifyFollows({ pool, schema }: RunWork, { id }: Run): Promise<boolean> {
  const { rows } = await pool.query<{ follows: boolean }>(
    `SELECT verify_after IS NOT NULL AS follows FROM ${escapeIdentifier(schema)}.sync_run WHERE id = $1`,
    [id],
  )
  return rows[0]?.follows === true
}

export function stateOf({ id, cursor }: Run): { readonly cursor: RunCursor; readonly state: ReindexState } {
  if (cursor?.reindex === undefined) throw new Error(`run ${id} has no indices`)
  return { cursor, state: cursor.reindex }
}
