import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Settings } from '../config/types.ts'
import { createPool } from '../postgres/connect.ts'
import type { DaemonObserver } from '../sync/observer.ts'
import { DaemonMetrics } from './daemon-metrics.ts'
import { DatabaseMetrics } from './database-metrics.ts'
import { type Reading, readDatabase } from './read-database.ts'

/** What `GET /metrics` answers with. */
interface MetricsSource {
  readonly contentType: string
  render(): Promise<string>
}

export interface Metrics extends MetricsSource {
  /** For the daemon (DaemonOptions.observer). */
  readonly observer: DaemonObserver
  close(): Promise<void>
}

interface MetricsOptions extends Pick<Settings, 'postgres' | 'schema' | 'instance' | 'documents'> {
  /** How long what the database said is good for, in milliseconds. */
  readonly freshMs?: number
  /** How long a scrape waits for the database, in milliseconds. */
  readonly patienceMs?: number
}

/** What the database said is good for so long, however often and by whomever it is asked. */
const FRESH_MS = 5_000

/** Where the statements are slow they take a twentieth of the time, no more. */
const SHARE = 20

/** A server that has gone silent is given up; one that is slow has cut its statement off by itself long before. */
const ANSWER_MS = 10_000

/** A scrape does not wait longer for the database; Prometheus gives up after ten seconds. */
const PATIENCE_MS = 2_500

/**
 * The metrics of one daemon, in a registry of its own: several in one process do not meet. It reads the database through a
 * connection of its own, so that a scrape neither waits for the batches' nor takes one from them.
 */
export function createMetrics({
  postgres,
  schema,
  instance,
  documents,
  freshMs = FRESH_MS,
  patienceMs = PATIENCE_MS,
}: MetricsOptions): Metrics {
  const registry = new Registry()
  const { daemon, database } = registerMetrics(registry, [...documents.keys()])
  const pool = createPool(postgres, {
    max: 1,
    applicationName: `sluice ${instance} metrics`,
    statementTimeoutMs: ANSWER_MS,
  })
  const read = freshReading(pool, schema, { freshMs, patienceMs })
  let rendering: Promise<string> | undefined
  let isProcessWatched = false

  const render = async () => {
    // From the first scrape on: the event loop's delay is measured by waking it, which is much of what a daemon at rest does.
    if (!isProcessWatched) registerProcess(registry)
    isProcessWatched = true
    const reading = await read()
    daemon.refresh()
    database.refresh(reading)
    return registry.metrics()
  }
  return {
    contentType: registry.contentType,
    observer: daemon,
    // One at a time: the gauges are filled anew for each.
    render: () => {
      rendering ??= render().finally(() => {
        rendering = undefined
      })
      return rendering
    },
    close: async () => {
      registry.clear()
      await pool.end()
    },
  }
}

/** What is told of the process; garbage collection and the event loop's delay from now on. */
export function registerProcess(registry: Registry): void {
  // The default of 10 ms would be most of what an idle daemon does.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
}

/**
 * Everything that is told of the daemon and the database, into one registry.
 * @param documents names that the label of what a daemon counts may have
 */
export function registerMetrics(registry: Registry, documents: readonly string[]) {
  return { daemon: new DaemonMetrics(registry, documents), database: new DatabaseMetrics(registry) }
}

/** Reads when what it has is no longer fresh; null when there is no answer in time, until there is one. */
function freshReading(
  pool: pg.Pool,
  schema: string,
  { freshMs, patienceMs }: { readonly freshMs: number; readonly patienceMs: number },
): () => Promise<Reading | null> {
  let known: Reading | null = null
  let goodUntil = 0
  let reading: Promise<void> | undefined
  const begin = async () => {
    const begun = performance.now()
    known = await readDatabase(pool, schema).catch(() => null)
    const now = performance.now()
    goodUntil = freshMs === 0 ? now : now + Math.max(freshMs, SHARE * (now - begun))
  }
  return async () => {
    if (performance.now() < goodUntil) return known
    reading ??= begin().finally(() => {
      reading = undefined
    })
    const late = new AbortController()
    const answered = await Promise.race([
      reading.then(() => true),
      delay(patienceMs, false, { signal: late.signal, ref: false }),
    ])
    late.abort()
    return answered ? known : null
  }
}
