import { hostname } from 'node:os'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { ScheduleDefinition, Settings } from '../config/types.ts'
import { definitionHash, scheduleHash } from '../documents/hash.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { cleanupRecords } from '../queue/cleanup-records.ts'
import { heartbeat } from '../queue/heartbeat.ts'
import { ensureLogPartitions } from '../queue/log-partitions.ts'
import { readDocuments } from '../queue/read-documents.ts'
import { requeueDueFailures } from '../queue/requeue-due-failures.ts'
import { writeLog } from '../queue/write-log.ts'
import { version } from '../version.ts'
import type { BlockedIndices } from './blocked-indices.ts'
import type { Chore } from './chores.ts'
import type { Dispatcher } from './dispatcher.ts'
import { assessDocuments } from './documents.ts'
import { obstacleOf } from './obstacle.ts'
import { parkedQueue, tendParkedKeys } from './parked-keys.ts'
import { dropRetired } from './retired-indices.ts'
import { assertSameServer } from './same-server.ts'
import { Tally } from './tally.ts'
import type { DaemonState } from './types.ts'
import { alertsChore, gapChore } from './watch-alerts.ts'
import { captureChore } from './watch-capture.ts'
import type { Unwritten } from './worker.ts'

export interface ChoresContext {
  readonly settings: Settings
  readonly schedules?: ReadonlyMap<string, ScheduleDefinition>
  readonly pool: pg.Pool
  readonly elasticsearch: Elasticsearch
  readonly log: Logger
  readonly dispatcher: Dispatcher
  readonly blocked: BlockedIndices
  readonly plans: Map<string, DocumentPlan>
  readonly waiting: Map<string, Waiting>
  readonly unwritten: Map<string, Unwritten>
  readonly state: () => DaemonState
  /** The server that the daemon has joined (`serverSql`), or null while it is between two. */
  readonly server: () => string | null
}

/** Why a document is not worked on, and since when (milliseconds of the monotonic clock). */
interface Waiting {
  readonly reason: string
  readonly since: number
  /** `sync_document` says it already: an echo of it would outlive a `resume` by a heartbeat. */
  readonly told: boolean
}

/** What a daemon does beside its batches, in the order of the first round. */
export function daemonChores(
  context: ChoresContext,
  beat: () => Promise<string>,
  watch: readonly Chore[],
): readonly Chore[] {
  const { settings, pool, log, plans } = context
  const { schema } = settings
  const queue = parkedQueue(pool, schema)
  return [
    {
      name: 'log partitions',
      everyMs: 3_600_000,
      run: async () => {
        await ensureLogPartitions(pool, schema)
      },
    },
    { name: 'documents', everyMs: 2_000, run: () => refreshDocuments(context) },
    // Before the heartbeat that ends it.
    gapChore({ ...settings, pool, log }, hashesOf(settings.documents)),
    {
      name: 'heartbeat',
      everyMs: 5_000,
      // Batches notice another server by themselves; without work nobody else would.
      run: async () => {
        const met = await beat()
        const joined = context.server()
        if (joined !== null) assertSameServer(joined, met)
      },
    },
    ...watch,
    captureChore({ pool, schema, log }),
    {
      name: 'due failures',
      // A first retry comes after one to three seconds. Each short statement a second is a seventh of what a daemon at rest costs.
      everyMs: 2_000,
      run: async () => {
        const keys = await requeueDueFailures(pool, schema, [...plans.keys()])
        if (keys > 0) log.debug({ keys }, 'due failures marked again')
      },
    },
    { name: 'parked keys', everyMs: 2_000, run: () => tendParkedKeys({ ...context, queue }) },
    {
      name: 'retired indices',
      everyMs: 5_000,
      run: async () => {
        await dropRetired({ ...context, schema })
      },
    },
    { name: 'log', everyMs: 1_000, run: () => writeOutstanding(context) },
    alertsChore({ ...settings, pool, log }),
    // At the start too, for a daemon that is restarted every day; last, for nothing waits for it.
    { name: 'cleanup', everyMs: 86_400_000, run: () => cleanup(context) },
  ]
}

async function cleanup({ settings, pool, log }: ChoresContext): Promise<void> {
  const removed = await cleanupRecords(pool, settings.schema, settings.limits.syncLogRetentionDays)
  for (const entry of removed) if (entry.removed > 0) log.info(entry, 'old records removed')
}

async function refreshDocuments({ settings, pool, log, plans, waiting }: ChoresContext): Promise<void> {
  const assessment = assessDocuments(settings.documents, await readDocuments(pool, settings.schema))
  for (const [name, reason] of [...assessment.waiting, ...assessment.stopped]) {
    plans.delete(name)
    if (waiting.get(name)?.reason === reason) continue
    log.warn({ document: name, reason }, 'document is not worked on')
    waiting.set(name, { reason, since: performance.now(), told: assessment.stopped.has(name) })
  }
  for (const [name, plan] of assessment.plans) {
    if (!plans.has(name)) log.info({ document: name, index: plan.index }, 'document is worked on')
    plans.set(name, plan)
    waiting.delete(name)
  }
}

/**
 * Tells `sync_worker` that this daemon lives, and what it waits for. One at a time, each with the state of its moment:
 * an older one never overwrites a newer one. Returns which server it met.
 */
export function heart(context: ChoresContext): () => Promise<string> {
  let last = Promise.resolve('')
  return () => {
    last = last.catch(() => undefined).then(() => beat(context))
    return last
  }
}

function hashesOf(documents: Settings['documents']): Readonly<Record<string, string>> {
  return Object.fromEntries([...documents].map(([document, d]) => [document, definitionHash(d)]))
}

async function beat(context: ChoresContext): Promise<string> {
  const { settings, schedules = [], pool, dispatcher, blocked, waiting, state } = context
  const { state: name, reason, forMs } = state()
  const now = performance.now()
  return heartbeat(pool, settings.schema, {
    instance: settings.instance,
    host: hostname(),
    pid: process.pid,
    version,
    state: name,
    reason,
    forMs,
    documents: hashesOf(settings.documents),
    schedules: Object.fromEntries([...schedules].map(([schedule, s]) => [schedule, scheduleHash(s)])),
    pauses: [
      ...dispatcher.pauses.map((pause) => ({ ...pauseOf(pause, now), index: null })),
      ...blocked.all.map((pause) => ({ ...pauseOf(pause, now), index: pause.index })),
      ...[...waiting]
        .filter(([, { told }]) => !told)
        .map(([document, { reason: why, since }]) => ({
          ...pauseOf({ document, type: 'waiting', reason: why, since }, now),
          index: null,
        })),
    ],
  })
}

interface Wait {
  readonly document: string
  readonly type: string
  readonly reason: string
  /** Milliseconds of the monotonic clock. */
  readonly since: number
}

function pauseOf({ document, type, reason, since }: Wait, now: number) {
  return { document, type, reason, forMs: now - since }
}

/** Writes outcomes that no later batch has taken along to the log. */
async function writeOutstanding({ settings, pool, unwritten, state }: ChoresContext): Promise<void> {
  const now = performance.now()
  const last = state().state === 'stopped'
  for (const [document, entry] of unwritten) {
    if (entry.tally.empty || (now - entry.writtenAt < 1_000 && !last)) continue
    const { tally } = entry
    unwritten.set(document, { tally: new Tally(), writtenAt: now })
    const { entries, lagCounts, batches } = tally
    const due = { worker: settings.instance, document, log: entries, lagCounts, batches }
    await writeLog(pool, settings.schema, due).catch((error: unknown) => {
      unwritten.get(document)?.tally.merge(tally)
      throw error
    })
  }
}

/** Last words: outcomes the log does not have yet, and a heartbeat that says stopped. */
export async function farewell(context: ChoresContext, beat: () => Promise<string>): Promise<void> {
  try {
    await writeOutstanding(context)
    await beat()
  } catch (error) {
    context.log.warn({ reason: obstacleOf(error).reason }, 'could not say goodbye to the database')
  }
}
