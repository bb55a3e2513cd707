import pg from 'pg'
import type { z } from 'zod'
import { readLaterColumns } from '../capture/later-columns.ts'
import type { DocumentDefinition, ScheduleDefinition } from '../config/types.ts'
import { definitionHash, scheduleHash } from '../documents/hash.ts'
import type { Database } from '../postgres/types.ts'
import { readAlerts } from '../queue/read-alerts.ts'
import type { statusJson } from './json/status.ts'
import { localTime } from './local-time.ts'

export type Status = z.infer<typeof statusJson>
type DocumentStatus = Status['documents'][number]
type ScheduleStatus = Status['schedules'][number]

/** The configuration in this folder. */
export interface Configured {
  readonly documents: ReadonlyMap<string, DocumentDefinition>
  readonly schedules: ReadonlyMap<string, ScheduleDefinition>
}

/**
 * How everything is doing, by the database alone: it is asked for when Elasticsearch is away, too.
 * @param configured null without a configuration in this folder
 */
export async function readStatus({ pool, schema }: Database, configured: Configured | null): Promise<Status> {
  const s = pg.escapeIdentifier(schema)
  const [documents, workers, runs, failedRuns, schedules, indices, later, alerts] = await Promise.all([
    pool.query<Omit<DocumentStatus, 'definition' | 'laterColumns'> & { hash: string }>(documentsSql(s)),
    readWorkers({ pool, schema }),
    pool.query<Status['runs'][number]>(runsSql(s)),
    pool.query<Status['failedRuns'][number]>(failedRunsSql(s)),
    pool.query<Omit<ScheduleStatus, 'definition' | 'nextAtLocal'> & { hash: string }>(schedulesSql(s)),
    readIndices({ pool, schema }),
    readLaterColumns(pool, schema),
    readAlerts(pool, schema),
  ])
  const notInstalled = (names: Iterable<string>, rows: readonly { readonly name: string }[]) =>
    [...names].filter((name) => !rows.some((row) => row.name === name))
  return {
    documents: documents.rows.map(({ hash, ...document }) => ({
      ...document,
      definition: standing(configured?.documents, document.name, hash, definitionHash),
      laterColumns: later
        .filter((columns) => columns.document === document.name)
        .map(({ table, columns, places }) => ({ table, columns: [...columns], places: [...places] })),
    })),
    alerts: [...alerts],
    notInstalled: notInstalled(configured?.documents.keys() ?? [], documents.rows),
    workers,
    runs: runs.rows,
    failedRuns: failedRuns.rows,
    schedules: schedules.rows.map(({ hash, ...schedule }) => ({
      ...schedule,
      nextAtLocal: localTime(schedule.nextAt, schedule.timezone),
      definition: standing(configured?.schedules, schedule.name, hash, scheduleHash),
    })),
    schedulesNotInstalled: notInstalled(configured?.schedules.keys() ?? [], schedules.rows),
    indices,
  }
}

/** Daemons: those that live, and those that ended within an hour. */
export async function readWorkers({ pool, schema }: Database): Promise<Status['workers']> {
  const { rows } = await pool.query<Status['workers'][number]>(workersSql(pg.escapeIdentifier(schema)))
  return rows
}

/** Physical indices, by document. */
export async function readIndices({ pool, schema }: Database): Promise<Status['indices']> {
  const { rows } = await pool.query<Status['indices'][number]>(indicesSql(pg.escapeIdentifier(schema)))
  return rows
}

function standing<Definition>(
  configured: ReadonlyMap<string, Definition> | undefined,
  name: string,
  hash: string,
  hashOf: (definition: Definition) => string,
): DocumentStatus['definition'] {
  if (configured === undefined) return null
  const definition = configured.get(name)
  if (definition === undefined) return 'missing'
  return hashOf(definition) === hash ? 'installed' : 'changed'
}

/** Counts are bigint or numeric, which pg gives as text; none of ours comes near 2^53. */
const counted = (column: string, as: string) => `${column}::double precision AS "${as}"`
const utcText = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
const utc = (column: string, as: string) => `${utcText(column)} AS "${as}"`
const milliseconds = (interval: string, as: string) =>
  `extract(epoch FROM ${interval})::double precision * 1000 AS "${as}"`

function documentsSql(s: string): string {
  return `
    SELECT d.name, d.state, d.reason, d.alarm, d.hash,
           EXISTS (SELECT FROM ${s}.sync_workers w WHERE w.alive AND w.documents ->> d.name = d.hash) AS attended,
           ${counted('t.pending_keys', 'pendingKeys')}, ${counted('t.parked_keys', 'parkedKeys')},
           ${counted('t.blocked_keys', 'blockedKeys')}, t.keys_are_exact AS "keysAreExact",
           (SELECT json_build_object('trippedAt', ${utcText('b.tripped_at')}, 'deletes', b.deletes,
                     'documents', b.documents, 'parked', b.parked, 'sample', b.sample)
              FROM ${s}.sync_brake b WHERE b.document = d.name AND b.tripped_at IS NOT NULL) AS brake,
           ${milliseconds('t.oldest_pending_age', 'oldestPendingMs')},
           ${counted('t.synced_last_minute', 'syncedLastMinute')}, ${counted('t.failed_last_minute', 'failedLastMinute')},
           ${counted('t.failure_rate', 'failureRate')},
           ${counted('t.average_lag_ms', 'averageLagMs')}, ${counted('t.p99_lag_ms', 'p99LagMs')},
           ${counted('t.retrying', 'retrying')}, ${counted('t.dead', 'dead')}, ${utc('t.last_synced_at', 'lastSyncedAt')}
      FROM ${s}.sync_document d JOIN ${s}.sync_stats t ON t.document = d.name
     ORDER BY d.name`
}

/** A daemon that has ended in order is not news for longer than an hour. */
function workersSql(s: string): string {
  return `
    SELECT instance, alive, state, reason, ${utc('since', 'since')}, version, pauses, ${utc('started_at', 'startedAt')},
           ${milliseconds('clock_timestamp() - seen_at', 'seenMsAgo')}
      FROM ${s}.sync_workers
     WHERE alive OR seen_at > clock_timestamp() - interval '1 hour'
     ORDER BY alive DESC, instance`
}

function runsSql(s: string): string {
  return `
    SELECT id::text AS id, kind, document, state, worker, progress, ${counted('total', 'total')},
           ${counted('processed', 'processed')}, ${counted('per_second', 'perSecond')},
           ${milliseconds('time_left', 'remainingMs')}, waits_for AS "waitsFor"
      FROM ${s}.sync_runs
     WHERE state IN ('requested', 'running', 'cancelling')
     ORDER BY sync_runs.id`
}

/** A later run of that kind, however it ended or stands, is the operator's answer. An alarm says it where sluice itself had asked. */
function failedRunsSql(s: string): string {
  return `
    SELECT r.id::text AS id, r.kind, r.document, r.error, r.requested_by AS "requestedBy", ${utc('r.finished_at', 'endedAt')}
      FROM ${s}.sync_run r JOIN ${s}.sync_document d ON d.name = r.document
     WHERE r.state = 'failed' AND r.finished_at > clock_timestamp() - interval '7 days'
       AND NOT coalesce(starts_with(d.alarm, format('%s run %s (', r.kind, r.id)), false)
       AND NOT EXISTS (SELECT FROM ${s}.sync_run later
                        WHERE later.document = r.document AND later.kind = r.kind AND later.id > r.id)
     ORDER BY r.id`
}

function schedulesSql(s: string): string {
  return `
    SELECT c.name, c.hash, c.run, c.cron, c.timezone, c.documents, ${utc('c.next_at', 'nextAt')},
           EXISTS (SELECT FROM ${s}.sync_workers w WHERE w.alive AND w.schedules ->> c.name = c.hash) AS attended,
           CASE WHEN c.last_at IS NOT NULL THEN json_build_object(
             'dueAt', ${utcText('c.last_at')}, 'firedAt', ${utcText('c.fired_at')}, 'firedBy', c.fired_by,
             'runs', (SELECT coalesce(json_agg(json_build_object('document', l.document, 'run', l.run, 'skipped', l.skipped,
                               'state', r.state) ORDER BY l.document), '[]')
                        FROM jsonb_to_recordset(c.last_runs) AS l (document text, run text, skipped text)
                        LEFT JOIN ${s}.sync_run r ON r.id = l.run::bigint)) END AS last
      FROM ${s}.sync_schedule c ORDER BY c.name`
}

function indicesSql(s: string): string {
  return `
    SELECT name, alias, document, role, ${utc('created_at', 'createdAt')}, ${utc('drop_at', 'dropAt')}
      FROM ${s}.sync_index ORDER BY document, created_at`
}
