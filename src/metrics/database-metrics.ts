import { Gauge, type Registry } from 'prom-client'
import { alertNames } from '../queue/read-conditions.ts'
import {
  differenceKinds,
  documentStates,
  errorTypeLabel,
  failureStates,
  labelOf,
  laneName,
  runKinds,
  severities,
} from './labels.ts'
import { type Question, questions, type Reading } from './read-database.ts'

/**
 * What the database says of all daemons together. Each daemon tells the same, so a query takes the highest of them, not the
 * sum. Without an answer there is no value: an old one would be taken for the present.
 */
export class DatabaseMetrics {
  readonly #up
  readonly #answered
  readonly #gauges: Gauge<string>[] = []
  readonly #documents
  readonly #pending
  readonly #oldest
  readonly #failures
  readonly #progress
  readonly #processed
  readonly #total
  readonly #lastFailed
  readonly #lastEnd
  readonly #differences
  readonly #alerts
  readonly #workers
  readonly #snapshot

  constructor(registry: Registry) {
    const registers = [registry]
    const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []): Gauge<T> => {
      const made = new Gauge<T>({ name, help, labelNames, registers })
      this.#gauges.push(made as Gauge<string>)
      return made
    }
    this.#up = gauge(
      'sluice_database_up',
      '1 when Postgres has answered this scrape or one a few seconds ago.',
    )
    this.#answered = gauge(
      'sluice_database_question_answered',
      '1 for what Postgres was asked and has answered in time; what it has not is missing from this scrape.',
      ['question'],
    )
    this.#documents = gauge('sluice_document_state', '1 for the state that an installed document is in.', [
      'document',
      'state',
    ])
    this.#pending = gauge(
      'sluice_pending_keys',
      'Keys that are marked and not acknowledged, by lane (parked: held back by the brake or a blocked index). Estimated where a lane has more than 5,000 marks.',
      ['document', 'lane'],
    )
    this.#oldest = gauge(
      'sluice_oldest_pending_age_seconds',
      'Age of the oldest mark of a lane; 0 where there is none.',
      ['document', 'lane'],
    )
    this.#failures = gauge(
      'sluice_failed_documents',
      'Documents of sync_failed: retrying, or dead letters; by type of the error.',
      ['document', 'state', 'type'],
    )
    this.#progress = gauge(
      'sluice_run_progress_ratio',
      'Of a run under way: share of its total that is acknowledged, 0 to 1; missing while the total is not known.',
      ['document', 'kind'],
    )
    this.#processed = gauge('sluice_run_processed_keys', 'Of a run under way: keys acknowledged.', [
      'document',
      'kind',
    ])
    this.#total = gauge('sluice_run_total_keys', 'Of a run under way: keys in all, once that is known.', [
      'document',
      'kind',
    ])
    this.#lastFailed = gauge(
      'sluice_last_run_failed',
      '1 when the last run of this kind to come to an end has failed, else 0.',
      ['document', 'kind'],
    )
    this.#lastEnd = gauge('sluice_last_run_end_timestamp_seconds', 'When that was.', ['document', 'kind'])
    this.#differences = gauge(
      'sluice_verify_differences',
      'What the last verify has found and not repaired, by kind: missing, stale, extra.',
      ['document', 'kind'],
    )
    this.#alerts = gauge(
      'sluice_alerts',
      'Alerts that stand, each 1; without a document: about everything.',
      ['name', 'document', 'severity'],
    )
    this.#workers = gauge('sluice_workers_alive', 'Daemons heard of within 15 seconds.')
    this.#snapshot = gauge(
      'sluice_oldest_snapshot_age_seconds',
      'Age of the oldest transaction that keeps vacuum from cleaning the queue; 0 where there is none.',
    )
  }

  /** Takes over what was read; null: the database did not answer. */
  refresh(reading: Reading | null): void {
    for (const gauge of this.#gauges) gauge.reset()
    this.#up.set(Number(reading !== null))
    if (reading === null) {
      // Without labels, a gauge that was reset says 0: no daemon alive, no old snapshot.
      this.#workers.remove()
      this.#snapshot.remove()
      return
    }
    for (const question of questions) {
      const answered: Question = question
      this.#answered.set({ question: answered }, Number(reading[answered] !== undefined))
    }
    for (const { document, state } of reading.documents ?? []) {
      for (const one of documentStates) this.#documents.set({ document, state: one }, Number(one === state))
    }
    for (const { document, lane, keys } of reading.queue ?? []) {
      this.#pending.set({ document, lane: laneName(lane) }, keys)
    }
    for (const { document, lane, seconds } of reading.oldest ?? []) {
      // Clocks of statements may be a moment apart.
      this.#oldest.set({ document, lane: laneName(lane) }, Math.max(0, seconds))
    }
    for (const { document, state, type, count } of reading.failures ?? []) {
      this.#failures.inc(
        { document, state: labelOf(failureStates, state), type: errorTypeLabel(type) },
        count,
      )
    }
    for (const { document, kind: named, processed, total } of reading.runs ?? []) {
      const kind = labelOf(runKinds, named)
      this.#processed.set({ document, kind }, processed)
      if (total === null) continue
      this.#total.set({ document, kind }, total)
      this.#progress.set({ document, kind }, total === 0 ? 1 : Math.min(1, processed / total))
    }
    for (const { document, kind: named, failed, endedAt } of reading.lastRuns ?? []) {
      const kind = labelOf(runKinds, named)
      this.#lastFailed.set({ document, kind }, Number(failed))
      this.#lastEnd.set({ document, kind }, endedAt)
    }
    for (const found of reading.differences ?? []) {
      for (const kind of differenceKinds)
        this.#differences.set({ document: found.document, kind }, Number(found[kind]))
    }
    for (const { name, document, severity } of reading.alerts ?? []) {
      this.#alerts.set(
        {
          name: labelOf(alertNames, name),
          document: document ?? '',
          severity: labelOf(severities, severity),
        },
        1,
      )
    }
    one(this.#workers, reading.workers?.[0]?.alive)
    one(this.#snapshot, reading.snapshots?.[0]?.oldestSeconds)
  }
}

function one(gauge: Gauge<string>, value: number | undefined): void {
  if (value === undefined) gauge.remove()
  else gauge.set(value)
}
