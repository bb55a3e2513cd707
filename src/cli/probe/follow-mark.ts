import { setTimeout as delay } from 'node:timers/promises'
import { escapeIdentifier } from 'pg'
import type { DocumentKey } from '../../documents/types.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import { SluiceError, UnreachableError } from '../../errors.ts'
import { readTargets } from '../../queue/read-targets.ts'
import type { Database } from '../context.ts'
import { readFailures, readMarks } from '../read-marks.ts'
import type { ProbeMark } from './write-mark.ts'

/** Between two looks. */
const everyMs = 10

/** Where the document comes out. */
export interface Outlet {
  readonly document: string
  readonly key: DocumentKey
  readonly alias: string
  readonly routing: string | null
}

interface Servers {
  readonly database: Database
  readonly elasticsearch: Elasticsearch
}

/** A document's copy in the live index. `index` null: its tenant has none yet; `version` null: nothing is there. */
export interface Copy {
  readonly index: string | null
  readonly version: string | null
}

/** Moments by performance.now(); null: not seen. */
export interface Passage {
  readonly claimedAt: number | null
  readonly indexedAt: number | null
  readonly acknowledgedAt: number | null
  readonly searchableAt: number | null
  readonly copy: Copy
  readonly resolutionMs: number
}

export async function readCopy(
  { database, elasticsearch }: Servers,
  { document, key, alias, routing }: Outlet,
  options: { readonly searchable?: boolean } = {},
): Promise<Copy> {
  const targets = await readTargets(database.pool, database.schema, document)
  const index = targets.find((target) => target.role === 'live' && target.alias === alias)?.index ?? null
  if (index === null) return { index, version: null }
  try {
    const { version } = await elasticsearch.get(index, key.id, routing, options)
    return { index, version }
  } catch (error) {
    // The index is gone, or lacks a shard: what keeps the mark says so.
    if (!(error instanceof SluiceError) || error instanceof UnreachableError) throw error
    return { index, version: null }
  }
}

/**
 * Watches a mark until its document is searchable and the mark settled, until the deadline, or until nothing more will come: it
 * was settled and nothing was written. Only looks: a mark that is locked to see whether it is free would be passed over by a daemon
 * in that moment; the row's `xmax` says the same.
 * @param before what is there before the mark; each batch writes a higher version, whatever was drawn (invariant 5)
 * @param drawn version drawn last before the mark was committed. A batch that claims the mark draws a higher one, and one
 * that was under way already has no higher one. Another that begins to work on the same key between that moment and our
 * batch's answer is taken for ours: it, too, reads the row after the mark was written.
 */
export async function followMark(
  servers: Servers,
  outlet: Outlet,
  {
    mark,
    drawn,
    before,
    deadline,
  }: {
    readonly mark: ProbeMark
    readonly drawn: string
    readonly before: Copy
    readonly deadline: number
  },
): Promise<Passage> {
  let claimedAt: number | null = null
  let indexedAt: number | null = null
  let acknowledgedAt: number | null = null
  let searchableAt: number | null = null
  let copy = before
  let resolutionMs = 0
  const newer = ({ version }: Copy) =>
    version !== null && isAbove(version, drawn) && isAbove(version, before.version)

  // Apart, for it may wait at Elasticsearch until the next refresh.
  const search = async () => {
    while (performance.now() < deadline) {
      if (newer(await readCopy(servers, outlet, { searchable: true }))) {
        searchableAt = performance.now()
        return
      }
      await delay(everyMs)
    }
  }
  let searched = Promise.resolve()
  let lastLook = performance.now()
  for (;;) {
    if (acknowledgedAt === null) {
      const state = await markState(servers.database, outlet.document, mark)
      if (state !== 'free') claimedAt ??= performance.now()
      if (state === 'gone') acknowledgedAt = performance.now()
    }
    if (claimedAt !== null && indexedAt === null) {
      const found = await readCopy(servers, outlet)
      if (newer(found)) {
        copy = found
        indexedAt = performance.now()
        // Settled and indexed at one look: in that order it cannot have been.
        if (acknowledgedAt !== null) acknowledgedAt = indexedAt
        searched = search()
        // It is awaited below, and may be refused before.
        searched.catch(() => undefined)
      } else if (acknowledgedAt !== null && (await isSettled(servers.database, outlet))) break
    }
    const now = performance.now()
    resolutionMs = Math.max(resolutionMs, now - lastLook)
    if ((indexedAt !== null && acknowledgedAt !== null) || now >= deadline) break
    lastLook = now
    await delay(Math.min(everyMs, deadline - now))
  }
  await searched
  return { claimedAt, indexedAt, acknowledgedAt, searchableAt, copy, resolutionMs }
}

function isAbove(version: string, other: string | null): boolean {
  return other === null || BigInt(version) > BigInt(other)
}

/** A claim locks its marks and deletes them, and commits with the batch: `xmax` is its transaction's until then. */
async function markState(
  { pool, schema }: Database,
  document: string,
  { id, lane }: ProbeMark,
): Promise<'free' | 'claimed' | 'gone'> {
  const { rows } = await pool.query<{ free: boolean }>(
    `SELECT xmax::text = '0' AS free FROM ${escapeIdentifier(schema)}.sync_queue
      WHERE document = $1 AND lane = $2 AND id = $3`,
    [document, lane, id],
  )
  const [row] = rows
  if (row === undefined) return 'gone'
  return row.free ? 'free' : 'claimed'
}

/** Whether nothing is to come of a key: no mark of it waits (a batch that is halved writes new ones), and none that failed is due. */
async function isSettled({ pool, schema }: Database, { document, key }: Outlet): Promise<boolean> {
  const marks = await readMarks(pool, schema, document, key.key)
  if (marks.length > 0) return false
  const failures = await readFailures(pool, schema, document, key.key)
  return failures.every(({ state }) => state === 'dead')
}
