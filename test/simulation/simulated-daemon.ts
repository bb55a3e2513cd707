import type pg from 'pg'
import { pino } from 'pino'
import type { Limits } from '../../src/config/types.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'
import type { Elasticsearch } from '../../src/elasticsearch/client.ts'
import type { Consequences } from '../../src/sync/batch-ended.ts'
import type { BatchStore } from '../../src/sync/batch-store.ts'
import type { Dispatcher } from '../../src/sync/dispatcher.ts'
import type { BatchResult } from '../../src/sync/types.ts'
import { DOCUMENT, HASH } from './application.ts'
import type { MemoryQueue } from './memory-queue.ts'
import type { Pipeline } from './pipeline.ts'
import type { Actor, Stepper } from './scheduler.ts'

export interface DaemonParts {
  readonly pipeline: Pipeline
  readonly stepper: Stepper
  readonly who: Actor
  readonly plan: DocumentPlan
  readonly limits: Limits
  readonly store: BatchStore
  readonly queue: MemoryQueue
  readonly elasticsearch: Elasticsearch
  readonly random: () => number
  /** Whether it moves the versions up when it joins a server (invariant 5). */
  readonly raisesFloor: boolean
  readonly onResult: (result: BatchResult) => void
  /** Something that may never be. */
  readonly onError: (error: unknown) => void
}

const log = pino({ enabled: false })

/** Alarms are for a document whose tables are gone. */
const noAlarms = new Proxy({} as pg.Pool, {
  get: () => {
    throw new Error('no document of the simulation can have an alarm')
  },
})

/**
 * A daemon: the real workers, dispatcher, pauses, blocked indices and gate, wired as src/sync/daemon.ts does it. What is
 * written anew here is the supervisor and the intervals, for those wait by timers and pools of the process: joining,
 * polling, due failures, parked keys, and probes while a server is away.
 */
export function startDaemon(parts: DaemonParts): Dispatcher {
  const { pipeline, stepper, who, plan, limits, queue, elasticsearch, random } = parts
  const { now } = stepper
  const { concurrency, requestTimeout } = limits
  const pacing = { now, random, trialMs: 2 * requestTimeout }
  const dispatcher = new pipeline.Dispatcher({ ...pacing, concurrency })
  const blocked = new pipeline.BlockedIndices({ ...pacing, onBlocked: () => {}, onFree: () => {} })
  const away = new pipeline.Absences({ now, random })
  const plans = new Map([[DOCUMENT, plan]])
  let server: string | null = null

  const pauses = new pipeline.DocumentPauses({
    dispatcher,
    log,
    schema: 'memory',
    tellState: () => {},
    onError: parts.onError,
    pool: noAlarms,
  })
  const openGate = () => {
    if (away.none) dispatcher.open()
  }
  const goneAway: Consequences['goneAway'] = (name, reason) => {
    if (away.has(name)) return
    const delayMs = away.gone(name, reason)
    dispatcher.close()
    const back = name === 'postgres' ? join(delayMs) : probe(delayMs)
    back.catch(parts.onError)
  }
  const failed = (error: unknown) => {
    const { scope, reason } = pipeline.obstacleOf(error)
    if (scope === 'postgres' || scope === 'elasticsearch') goneAway(scope, reason)
    else parts.onError(error)
  }
  const join = async (delayMs: number) => {
    await stepper.sleep(who, delayMs)
    for (let attempt = 1; ; attempt++) {
      try {
        server = await queue.join(parts.raisesFloor)
        fronts.forget()
        break
      } catch {
        await stepper.sleep(who, pipeline.backoffDelay(attempt, random()))
      }
    }
    away.back('postgres')
    openGate()
  }
  const probe = async (delayMs: number) => {
    await stepper.sleep(who, delayMs)
    for (let attempt = 1; ; attempt++) {
      const { outcome } = await elasticsearch.ping()
      if (outcome === 'answered') break
      await stepper.sleep(who, pipeline.backoffDelay(attempt, random()))
    }
    away.back('elasticsearch')
    openGate()
  }
  const every = async (ms: number, chore: () => Promise<unknown>) => {
    for (;;) {
      await stepper.sleep(who, ms)
      if (!away.has('postgres')) await chore().catch(failed)
    }
  }
  const fronts = new pipeline.QueueFronts(now)
  const poll = async () => {
    dispatcher.found(await fronts.look([DOCUMENT], (lanes) => queue.pendingLanes(lanes)))
    pauses.looked()
  }
  const hurry = () => {
    poll().catch(failed)
  }

  const context: Parameters<Pipeline['runWorker']>[0] = {
    dispatcher,
    fronts,
    blocked,
    plans,
    hashes: new Map([[DOCUMENT, HASH]]),
    transforms: new Map(),
    unwritten: new Map(),
    sizers: new Map(),
    confidences: new Map(),
    instance: who.name,
    limits,
    now,
    store: parts.store,
    elasticsearch,
    server: () => server,
    gate: new pipeline.BulkGate({
      most: () => dispatcher.bulkRequests,
      limit: () => dispatcher.inFlight.limit,
      now,
    }),
    brake: { share: () => 0.1, size: (index) => elasticsearch.count(index) },
    onBatch: (assignment, result) => {
      parts.onResult(result)
      const served = () => away.served()
      pipeline.batchEnded({ log, dispatcher, pauses, served, hurry, goneAway }, assignment, result)
    },
  }
  away.gone('postgres', 'starting')
  const workers = Array.from({ length: pipeline.batchesInFlight(limits) }, () => pipeline.runWorker(context))
  const loops = [
    join(0),
    // Far apart: a poll that finds nothing is a step that shows nothing, and a batch that was settled asks for one.
    every(10 * limits.pollingInterval, poll),
    every(2_000, () => queue.requeueDueFailures()),
    every(2_000, () => pipeline.tendParkedKeys({ queue, log, dispatcher, blocked, plans })),
  ]
  Promise.all([...workers, ...loops]).catch(parts.onError)
  return dispatcher
}
