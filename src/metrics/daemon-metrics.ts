import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { LAG_BOUNDS_MS } from '../queue/lag-bounds.ts'
import type { Assignment } from '../sync/dispatcher.ts'
import type { BulkRequest, DaemonObserver, Vitals } from '../sync/observer.ts'
import type { BatchResult } from '../sync/types.ts'
import { version } from '../version.ts'
import { CountedHistogram } from './counted-histogram.ts'
import { daemonStates, errorTypeLabel, labelOf, laneName } from './labels.ts'

/** From a request on the same machine to one that REQUEST_TIMEOUT gives up. */
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** 1 KiB to 64 MiB, in steps of four; BATCH_BYTES is 1 MiB unless somebody said otherwise. */
const REQUEST_BYTES = Array.from({ length: 9 }, (_, n) => 1024 * 4 ** n)

/** What one daemon counts of itself: in memory, from its start, and told whatever is away. */
export class DaemonMetrics implements DaemonObserver {
  readonly #documents: readonly string[]
  #vitals: (() => Vitals) | undefined
  #draws = 0

  readonly #batches
  readonly #items
  readonly #sentBytes
  readonly #lag
  readonly #givenBack
  readonly #obstacles
  readonly #requestSeconds
  readonly #requestBytes
  readonly #itemErrors
  readonly #versions
  readonly #state
  readonly #inFlight
  readonly #inFlightLimit
  readonly #pauses
  readonly #connections
  readonly #connectionsLimit

  /** @param documents names that a label may have */
  constructor(registry: Registry, documents: readonly string[]) {
    this.#documents = documents
    const registers = [registry]
    const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
      new Counter<T>({ name, help, labelNames, registers })
    const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
      new Gauge<T>({ name, help, labelNames, registers })

    gauge('sluice_build_info', 'The version of sluice; always 1.', ['version']).set({ version }, 1)
    this.#batches = counter(
      'sluice_batches_total',
      'Batches by outcome: settled (acknowledged), expanded (its marks became marks of documents), given_back (its marks are in the queue again).',
      ['document', 'lane', 'outcome'],
    )
    this.#items = counter(
      'sluice_items_total',
      'Operations of settled batches by outcome: done, superseded, retry, dead, blocked. Operation none: the document could not be read or encoded.',
      ['document', 'operation', 'outcome'],
    )
    this.#sentBytes = counter('sluice_sent_bytes_total', 'Bytes of documents in answered operations.', [
      'document',
    ])
    this.#lag = new CountedHistogram({
      name: 'sluice_lag_seconds',
      help: 'From the mark, which is committed with the change, to the answer of Elasticsearch. Blocked operations are not counted.',
      labelNames: ['document'],
      buckets: LAG_BOUNDS_MS.map((ms) => ms / 1000),
      registers,
    })
    this.#givenBack = counter(
      'sluice_given_back_keys_total',
      'Keys of settled batches marked again, uncharged.',
      ['document'],
    )
    this.#obstacles = counter(
      'sluice_obstacles_total',
      'What stopped (some of) a batch, by scope: elasticsearch, postgres, document, index.',
      ['scope', 'type'],
    )
    this.#requestSeconds = new Histogram({
      name: 'sluice_bulk_request_duration_seconds',
      help: 'Bulk requests until their answer, by outcome: answered, unknown, blocked, too-large, refused.',
      labelNames: ['outcome'],
      buckets: REQUEST_SECONDS,
      registers,
    })
    this.#requestBytes = new Histogram({
      name: 'sluice_bulk_request_bytes',
      help: 'Size of bulk requests.',
      buckets: REQUEST_BYTES,
      registers,
    })
    this.#itemErrors = counter(
      'sluice_bulk_item_errors_total',
      'Items of bulk answers that were refused, by verdict (retry, dead, blocked) and type of the error.',
      ['outcome', 'type'],
    )
    this.#versions = counter('sluice_versions_drawn_total', 'External versions drawn, one a batch.')
    this.#state = gauge('sluice_daemon_state', '1 for the state that the daemon is in.', ['state'])
    this.#inFlight = gauge('sluice_batches_in_flight', 'Batches under way.', ['lane'])
    this.#inFlightLimit = gauge(
      'sluice_batches_in_flight_limit',
      'Most batches under way at present, those of single edits apart: falls while Elasticsearch is too busy.',
    )
    this.#pauses = gauge(
      'sluice_pauses',
      'What this daemon does not send at present, by scope (document, index) and type of the reason.',
      ['document', 'scope', 'type'],
    )
    this.#connections = gauge(
      'sluice_postgres_connections',
      'Connections of the pool, by state: active, idle; waiting: who waits for one.',
      ['state'],
    )
    this.#connectionsLimit = gauge(
      'sluice_postgres_connections_limit',
      'Most connections that the pool opens.',
    )
    for (const document of documents) {
      this.#batches.inc({ document, lane: 'interactive', outcome: 'settled' }, 0)
      this.#items.inc({ document, operation: 'index', outcome: 'done' }, 0)
      this.#lag.add({ document }, [], 0)
    }
  }

  begins(vitals: () => Vitals): void {
    this.#vitals = vitals
    this.#draws = 0
  }

  batch({ document: name, lane }: Assignment, result: BatchResult): void {
    const document = labelOf(this.#documents, name)
    const outcome = result.outcome === 'given-back' ? 'given_back' : result.outcome
    this.#batches.inc({ document, lane: laneName(lane), outcome })
    const obstacle = 'obstacle' in result ? result.obstacle : null
    if (obstacle !== null) {
      this.#obstacles.inc({ scope: obstacle.scope, type: errorTypeLabel(obstacle.type) })
    }
    if (result.outcome !== 'settled') return
    let answeredMs = 0
    for (const entry of result.tally.entries) {
      this.#items.inc({ document, operation: entry.operation, outcome: entry.outcome }, entry.count)
      this.#sentBytes.inc({ document }, entry.bytes)
      if (entry.outcome !== 'blocked') answeredMs += entry.lagSumMs
    }
    this.#lag.add({ document }, result.tally.lagCounts, answeredMs / 1000)
    this.#givenBack.inc({ document }, result.givenBack)
  }

  bulk({ bytes, elapsedMs, answer }: BulkRequest): void {
    this.#requestSeconds.observe({ outcome: answer.outcome }, elapsedMs / 1000)
    this.#requestBytes.observe(bytes)
    if (answer.outcome !== 'answered') return
    for (const item of answer.items) {
      if ('type' in item) this.#itemErrors.inc({ outcome: item.outcome, type: errorTypeLabel(item.type) })
    }
  }

  /** Takes over how the daemon stands now. */
  refresh(): void {
    const vitals = this.#vitals?.()
    if (vitals === undefined) return
    for (const state of daemonStates) this.#state.set({ state }, Number(state === vitals.state))
    const { interactive, bulk, limit } = vitals.inFlight
    this.#inFlight.set({ lane: 'interactive' }, interactive)
    this.#inFlight.set({ lane: 'bulk' }, bulk)
    this.#inFlightLimit.set(limit)
    this.#pauses.reset()
    for (const { document, index, type } of vitals.pauses) {
      this.#pauses.inc({
        document: labelOf(this.#documents, document),
        scope: index === null ? 'document' : 'index',
        type: errorTypeLabel(type),
      })
    }
    this.#versions.inc(vitals.draws - this.#draws)
    this.#draws = vitals.draws
    const { open, idle, waiting, most } = vitals.connections
    this.#connections.set({ state: 'active' }, open - idle)
    this.#connections.set({ state: 'idle' }, idle)
    this.#connections.set({ state: 'waiting' }, waiting)
    this.#connectionsLimit.set(most)
  }
}
