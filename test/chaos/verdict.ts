import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { compare } from '../support/compare.ts'
import { onlyLiveIndices } from './operator.ts'
import { documents } from './world.ts'

/** What is asked of the three documents together. All zeros is what sluice promises. */
export interface Verdict {
  /** Whether nothing was left to do in the end. */
  readonly drained: boolean
  /** When nothing was left for the first time, or patience ended, monotonic milliseconds. */
  readonly drainedAt: number
  /** Rows that should have a document. */
  readonly documents: number
  /** Rows without a document. */
  readonly missing: number
  /** Documents that differ from their row. */
  readonly stale: number
  /** Documents without a row. */
  readonly extra: number
  /** Rows that cannot be indexed, and no row of sync_failed says so. */
  readonly unreported: number
  /** Rows of sync_failed about what is in order. */
  readonly unfounded: number
  /** What was found, a few of each kind; empty when all is well. */
  readonly examples: readonly string[]
}

interface Servers {
  readonly pool: pg.Pool
  readonly elasticsearch: string
  readonly say: (text: string) => void
  /** How long the work may take to end; default: long enough for whatever the program as it is has left to do. */
  readonly patienceMs?: number
}

/**
 * Waits for the end of all work, looks at what failed, lets the application repair that, waits again, and compares:
 * then nothing may have failed, and every row must have its document.
 */
export async function judge(servers: Servers): Promise<Verdict> {
  let ended = await drained(servers)
  const drainedAt = performance.now()
  const failed = await auditFailures(servers)
  if (ended) {
    await cure(servers)
    ended = await drained(servers)
  }
  const single = ended && (await onlyLiveIndices(servers.pool))
  const left = await auditFailures(servers)
  servers.say('comparing every row with its document')
  const compared = await compareAll(servers)
  return {
    ...compared,
    drained: ended,
    drainedAt,
    unreported: Math.max(failed.unreported, left.unreported),
    unfounded: Math.max(failed.unfounded, left.unfounded),
    examples: [
      ...compared.examples,
      ...failed.examples,
      ...left.examples.map((example) => `after the repair: ${example}`),
      ...(ended ? [] : ['the queue did not drain']),
      ...(ended && !single ? ['kept or unfinished indices are not dropped'] : []),
      ...(compared.missing + compared.stale + compared.extra === 0
        ? []
        : ['rows and documents do not agree']),
    ],
  }
}

/** Long enough for a run whose daemon was killed to be taken over, and for five attempts of a retried key. */
const DRAIN_MS = 240_000

/** Waits until nothing is left to do. Returns false when that does not come. */
export async function drained({ pool, say, patienceMs = DRAIN_MS }: Servers): Promise<boolean> {
  const begun = performance.now()
  let told = begun
  for (;;) {
    const left = await leftToDo(pool)
    if (left.marks + left.retrying + left.runs === 0) return true
    const now = performance.now()
    if (now - begun > patienceMs) return false
    if (now - told > 5_000) {
      told = now
      await confirmDeletes(pool)
      say(`draining: ${left.marks} marks, ${left.retrying} keys to retry, ${left.runs} runs`)
    }
    await delay(200)
  }
}

/** So many rows stop matching that the mass-delete brake may hold deletes back: the operator says that they are meant. */
async function confirmDeletes(pool: pg.Pool): Promise<void> {
  await pool.query(
    `SELECT sluice.resume(d.name, true) FROM sluice.sync_document d
      WHERE EXISTS (SELECT FROM sluice.sync_queue q WHERE q.document = d.name AND q.lane = 2)`,
  )
}

async function leftToDo(pool: pg.Pool): Promise<{ marks: number; retrying: number; runs: number }> {
  // One statement: a retry turns into a mark, and a run writes marks, and neither may slip through between two looks.
  const { rows } = await pool.query<{ marks: number; retrying: number; runs: number }>(
    `SELECT (SELECT count(*)::integer FROM sluice.sync_queue) AS marks,
            (SELECT count(*)::integer FROM sluice.sync_failed WHERE state = 'retrying') AS retrying,
            (SELECT count(*)::integer FROM sluice.sync_run WHERE state IN ('requested', 'running', 'cancelling')) AS runs`,
  )
  return rows[0] ?? { marks: 0, retrying: 0, runs: 0 }
}

/** Compares sync_failed with the rows that cannot be indexed. */
async function auditFailures({
  pool,
}: Servers): Promise<Pick<Verdict, 'unreported' | 'unfounded' | 'examples'>> {
  const result = { unreported: 0, unfounded: 0, examples: [] as string[] }
  for (const { name, poisoned } of documents) {
    const { rows } = await pool.query<{ key: string; poisoned: boolean; type: string | null }>(
      `SELECT key, p.key IS NOT NULL AS poisoned, f.type || ' at version ' || f.version AS type
         FROM (${poisoned}) p FULL JOIN (SELECT * FROM sluice.sync_failed WHERE document = $1) f USING (key)
        WHERE p.key IS NULL OR f.key IS NULL`,
      [name],
    )
    for (const row of rows) {
      if (row.poisoned) result.unreported += 1
      else result.unfounded += 1
      const what = row.poisoned ? 'cannot be indexed, and sync_failed does not say so' : 'failed without need'
      result.examples.push(`${name} ${row.key.slice(0, 80)}: ${what} ${row.type ?? ''}`)
    }
  }
  return { ...result, examples: result.examples.slice(0, 10) }
}

/** The application repairs the rows that could not be indexed. */
async function cure({ pool }: Servers): Promise<void> {
  for (const document of documents) await pool.query(document.cure)
}

/** Compares every row with its document. */
async function compareAll({
  pool,
  elasticsearch,
}: Servers): Promise<Omit<Verdict, 'drained' | 'drainedAt' | 'unreported' | 'unfounded'>> {
  const sum = { documents: 0, missing: 0, stale: 0, extra: 0, examples: [] as string[] }
  for (const { name, index, truth } of documents) {
    const found = await compare({ pool, elasticsearch, index, truth })
    sum.documents += found.documents
    sum.missing += found.missing
    sum.stale += found.stale
    sum.extra += found.extra
    sum.examples.push(...found.examples.map((example) => `${name}: ${example}`))
    if (found.extra !== 0) sum.examples.push(...(await extras(pool, elasticsearch, { name, index, truth })))
  }
  return sum
}

/** A few documents that have no row, with the versions they were written at. */
async function extras(
  pool: pg.Pool,
  elasticsearch: string,
  { name, index, truth }: Pick<(typeof documents)[number], 'name' | 'index' | 'truth'>,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(`SELECT id FROM (${truth}) t`)
  const wanted = new Set(rows.map(({ id }) => id))
  const found: string[] = []
  let path = `/${index}/_search?scroll=1m`
  let body: object = { size: 5_000, _source: false, version: true, sort: ['_doc'] }
  for (;;) {
    const answer = await fetch(new URL(path, elasticsearch), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const { _scroll_id, hits } = (await answer.json()) as {
      _scroll_id: string
      hits: { hits: readonly { _id: string; _version: number }[] }
    }
    const strays = hits.hits.filter(({ _id }) => !wanted.has(_id))
    found.push(...strays.map(({ _id, _version }) => `${name}: extra ${_id} at version ${_version}`))
    if (hits.hits.length === 0 || found.length >= 20) return found.slice(0, 20)
    path = '/_search/scroll'
    body = { scroll: '1m', scroll_id: _scroll_id }
  }
}

/** What the queue, the failures and the runs hold, for the report. */
export async function describeState(pool: pg.Pool): Promise<string> {
  const tables = {
    sync_queue:
      'SELECT document, lane, op, count(*), min(created_at) FROM sluice.sync_queue GROUP BY 1, 2, 3',
    sync_failed:
      'SELECT document, state, type, left(reason, 100) AS reason, count(*), min(version), max(version) FROM sluice.sync_failed GROUP BY 1, 2, 3, 4 LIMIT 20',
    sync_run:
      "SELECT id, kind, document, state, worker, reason, error FROM sluice.sync_run WHERE state <> 'done' ORDER BY id DESC LIMIT 20",
    sync_document:
      "SELECT name, state, reason, alarm FROM sluice.sync_document WHERE state <> 'active' OR alarm IS NOT NULL",
    sync_worker:
      "SELECT instance, state, reason, pauses FROM sluice.sync_worker WHERE seen_at > now() - interval '15 seconds'",
  }
  const parts: string[] = []
  for (const [table, sql] of Object.entries(tables)) {
    const { rows } = await pool.query<Record<string, unknown>>(sql)
    parts.push(
      `${table}:${rows.length === 0 ? ' nothing' : ''}`,
      ...rows.map((row) => `  ${JSON.stringify(row)}`),
    )
  }
  return parts.join('\n')
}
