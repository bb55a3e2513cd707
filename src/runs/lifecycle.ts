import { escapeIdentifier, escapeLiteral } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import { rewriting } from '../queue/request-run.ts'
import { readRun } from './read-runs.ts'
import { type RunRow, runColumns, runOf } from './run-row.ts'
import type { Run, RunCursor, RunKind, RunResult } from './types.ts'

/**
 * The states of a run, and who moves it:
 *
 *     requested ──take──▶ running ──finish──▶ done | failed
 *         │               │  ▲ └──cancel──▶ cancelling ──finish──▶ cancelled
 *         │               └──┘ take over                              ▲
 *         └──────────────────────────────cancel───────────────────────┘
 *
 * - `requested`: a row that a command, install or the pipeline inserted (queue/request-run). Nothing of it is done yet.
 * - `running`: the instance named in `worker` executes it and renews `heartbeat_at`. When the heartbeat is STALE_AFTER
 *   old by the database's clock (invariant 14), that instance is dead or cut off, and any other takes the run over and
 *   goes on from its cursor. A worker that leaves a run in good order (its daemon shuts down, or the document is paused)
 *   releases it: no worker, and a heartbeat so old that it can be taken over at once. It does not go back to
 *   `requested`: a TRUNCATE that meets a verify in that state relies on it not having begun.
 * - `cancelling`: the worker is asked to stop, and finishes it. Without a living worker, whoever cancels or takes it does.
 * - `done`, `failed`, `cancelled`: final, and never left again. Whatever the end, a verify asked for meanwhile
 *   (`verify_after`) is requested in the same statement: between two statements a crash could lose it.
 *
 * Every change by a worker states that the run is still its own (`worker`, `state`, and for the cursor its old value):
 * one that was taken for dead wakes up, touches no row, and stops. At most one of the first three is active for a
 * document: the unique index sync_run_one_at_a_time sees to it.
 */

/** Three heartbeats missed. As long as a daemon counts as alive (sync_worker.seen_at). */
const STALE_AFTER = "interval '15 seconds'"

/** Kinds that this program can execute; a run of another kind waits for a daemon that knows it (rolling deploys). */
export const EXECUTED_KINDS = [
  'backfill',
  'verify',
  'reindex',
  'optimize',
] as const satisfies readonly RunKind[]

/**
 * Takes the oldest run that is requested or abandoned, of one of these documents; null when there is none.
 * A run whose document is paused or detached stays where it is, for its marks would not be drained. A heartbeat of the
 * future is from before the database's clock was put back: whoever lives gives another one within seconds.
 * Rides sync_run_one_at_a_time, which holds the few active runs only. SKIP LOCKED: two daemons that poll at the same
 * moment take two runs, or one takes none. An abandoned `cancelling` run keeps its state: it is taken to be finished.
 */
export async function takeRun(
  db: Queryable,
  schema: string,
  instance: string,
  documents: readonly string[],
): Promise<Run | null> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<RunRow>(
    `UPDATE ${s}.sync_run r
        SET state = CASE r.state WHEN 'requested' THEN 'running' ELSE r.state END,
            worker = $1,
            started_at = coalesce(r.started_at, clock_timestamp()),
            heartbeat_at = clock_timestamp()
      WHERE r.id = (
              SELECT c.id
                FROM ${s}.sync_run c
                JOIN ${s}.sync_document d ON d.name = c.document
               WHERE c.document = ANY ($2)
                 AND c.kind = ANY ($3)
                 AND c.state IN ('requested', 'running', 'cancelling')
                 AND (d.state = 'active' OR c.state = 'cancelling')
                 AND (c.state = 'requested' OR c.heartbeat_at < clock_timestamp() - ${STALE_AFTER}
                      OR c.heartbeat_at > clock_timestamp() + ${STALE_AFTER})
               ORDER BY c.id
               LIMIT 1
                 FOR UPDATE OF c SKIP LOCKED)
      RETURNING ${runColumns('r')}`,
    [instance, documents, EXECUTED_KINDS],
  )
  const [row] = rows
  return row === undefined ? null : runOf(row)
}

/** Renews the heartbeat of this instance's runs; returns those that are still its own, with their state. */
export async function heartbeatRuns(
  db: Queryable,
  schema: string,
  instance: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, 'running' | 'cancelling'>> {
  const { rows } = await db.query<{ id: string; state: 'running' | 'cancelling' }>(
    `UPDATE ${escapeIdentifier(schema)}.sync_run
        SET heartbeat_at = clock_timestamp()
      WHERE id = ANY ($1::bigint[]) AND worker = $2 AND state IN ('running', 'cancelling')
      RETURNING id::text, state`,
    [ids, instance],
  )
  return new Map(rows.map(({ id, state }) => [id, state]))
}

/** What a step of a run changes besides its cursor. */
export interface Advance {
  readonly to: RunCursor
  /** Keys marked by this step. */
  readonly walked?: number
  readonly total?: number
  /** Starts the count of walked keys anew: a step that is not resumable begins again. */
  readonly restart?: boolean
  /** What this step has settled itself. Of a run that marks, the batches count that. */
  readonly processed?: number
  /** What this step has found: replaces what the run has of the same key. */
  readonly result?: RunResult
}

/**
 * Moves the cursor, in the caller's transaction, together with the marks it stands for. False when the run is no
 * longer the caller's, is being cancelled, or has been moved by someone else: the caller must roll back.
 */
export async function advanceRun(
  db: Queryable,
  schema: string,
  run: Pick<Run, 'id' | 'worker' | 'cursor'>,
  advance: Advance,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_run
        SET cursor = $4,
            walked = CASE WHEN $5 THEN 0 ELSE walked END + $6::bigint,
            total = coalesce($7::bigint, total),
            processed = processed + $8::bigint,
            result = CASE WHEN $9::jsonb IS NULL THEN result ELSE coalesce(result, '{}') || $9 END
      WHERE id = $1 AND worker = $2 AND state = 'running' AND cursor IS NOT DISTINCT FROM $3::jsonb`,
    [
      run.id,
      run.worker,
      run.cursor === null ? null : JSON.stringify(run.cursor),
      JSON.stringify(advance.to),
      advance.restart ?? false,
      advance.walked ?? 0,
      advance.total ?? null,
      advance.processed ?? 0,
      advance.result === undefined ? null : JSON.stringify(advance.result),
    ],
  )
  return rowCount === 1
}

/** Leaves the run with its cursor, so that another daemon goes on at once. False when it is not this worker's to release. */
export async function releaseRun(
  db: Queryable,
  schema: string,
  run: Pick<Run, 'id' | 'worker'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE ${escapeIdentifier(schema)}.sync_run
        SET worker = NULL, heartbeat_at = '-infinity'
      WHERE id = $1 AND worker = $2 AND state = 'running'`,
    [run.id, run.worker],
  )
  return rowCount === 1
}

/** How a run ends. `error` of a run that is done is what it has to report. */
export interface Ending {
  readonly state: 'done' | 'failed' | 'cancelled'
  readonly error: string | null
}

/**
 * Ends a run of this worker; null when it is no longer its own. A cancel that came too late, when all was done,
 * does not undo the run: it is done.
 *
 * One statement: ends run $1; requests the verify that was asked for meanwhile (the INSERT reads the UPDATE's output, so the
 * unique index sees the old run ended); and if it is a run that sluice itself asked for and it failed, leaves an alarm,
 * because nobody watches it. The next one that is done takes the alarm away. What a reindex has built that is not to be is
 * given up: written to no more, to be dropped; also an index whose creation is under way at this moment and that nobody has
 * registered. Of a run that nobody executes `cancel_run` does the same.
 */
export async function finishRun(
  db: Queryable,
  schema: string,
  run: Pick<Run, 'id' | 'worker'>,
  ending: Ending,
): Promise<Run | null> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<RunRow>(
    `WITH changed AS (
       UPDATE ${s}.sync_run r SET state = $3, error = $4, finished_at = clock_timestamp()
        WHERE r.id = $1 AND r.worker = $2 AND r.state IN ('running', 'cancelling')
       RETURNING r.*
     ), verify AS (
       INSERT INTO ${s}.sync_run (kind, document, options, origin, truncated, requested_by, reason)
       SELECT 'verify', c.document, ${rewriting}, c.verify_after, c.verify_after_truncated, 'sluice', 'asked for while run ' || c.id || ' was under way'
         FROM changed c WHERE c.verify_after IS NOT NULL
     ), abandoned AS (
       INSERT INTO ${s}.sync_index AS i (name, document, alias, uuid, role, hash, retired_at)
       SELECT built.name, c.document, built.alias, '', 'retired', '', clock_timestamp()
         FROM changed c, jsonb_to_recordset(coalesce(c.cursor #> '{reindex,indices}', '[]')) AS built (alias text, name text)
        WHERE c.state IN ('failed', 'cancelled')
       ON CONFLICT (name) DO UPDATE SET role = 'retired', retired_at = clock_timestamp() WHERE i.role = 'building'
     ), alarm AS (
       UPDATE ${s}.sync_document d
          SET alarm = CASE WHEN c.state = 'failed' THEN
                format(E'%s run %s (%s) failed: %s\\n  → When the cause is gone: %s', c.kind, c.id, c.reason, c.error,
                  CASE c.kind WHEN 'backfill' THEN format('sluice backfill %s', c.document)
                  ELSE format('INSERT INTO %I.sync_run (kind, document, options) VALUES (%L, %L, %L)', ${escapeLiteral(schema)}, c.kind, c.document, c.options) END)
                ELSE ${s}.brake_alarm(c.document) END
         FROM changed c
        WHERE d.name = c.document
          AND (c.state = 'failed' AND c.reason IS NOT NULL OR c.state = 'done' AND d.alarm LIKE c.kind || ' run %')
     )
     SELECT ${runColumns('c')} FROM changed c`,
    [run.id, run.worker, ending.state, ending.error],
  )
  const [row] = rows
  return row === undefined ? null : runOf(row)
}

/**
 * Cancels a run: at once when nobody executes it (still requested, or its worker is dead), otherwise by asking its
 * worker. Returns the run as it stands then, null when there is none of that id. Marks already written stay: they are
 * few (the walk is bounded) and true whoever asked for them. A reindex that moves its aliases is past that, and goes on.
 * A function in the database, so that an operator needs a grant of it alone.
 */
export async function cancelRun(db: Queryable, schema: string, id: string): Promise<Run | null> {
  await db.query(`SELECT ${escapeIdentifier(schema)}.cancel_run($1)`, [id])
  return readRun(db, schema, id)
}
