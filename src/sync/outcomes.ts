import { bodyBytes } from '../elasticsearch/bulk.ts'
import type { ItemVerdict, Operation } from '../elasticsearch/types.ts'
import type { BatchKey, Failure, Mark, RunCounts } from '../queue/types.ts'
import type { Verdict } from './confidence.ts'
import { isTooBusy } from './in-flight.ts'
import type { FailedState } from './recheck.ts'
import { Tally } from './tally.ts'
import type { KeyFailure, Obstacle } from './types.ts'

type RunResult = 'created' | 'updated' | 'deleted' | 'failed'

/**
 * Collects what became of a batch's keys, until one transaction writes it all.
 * Bookkeeping only: no connection, and elapsed time is passed in.
 */
export class Outcomes {
  readonly tally = new Tally()
  readonly #keys: Map<string, BatchKey>
  readonly #succeeded = new Map<string, string[]>()
  #failures: Failure[] = []
  readonly #failedStates = new Map<BatchKey, FailedState>()
  readonly #givenBack = new Map<string, BatchKey>()
  readonly #parked = new Map<string, BatchKey>()
  readonly #waiting = new Map<string, BatchKey>()
  readonly #deleted = new Set<string>()
  readonly #runs = new Map<string, Record<RunResult, number>>()
  #obstacle: Obstacle | null = null
  readonly #superseded: { readonly key: BatchKey; readonly stored: bigint }[] = []

  constructor(keys: readonly BatchKey[]) {
    this.#keys = new Map(keys.map((key) => [key.key, key]))
  }

  /** Keys that the batch has beside its marks' (see encodeOperations). */
  add(keys: readonly BatchKey[]): void {
    for (const key of keys) if (!this.#keys.has(key.key)) this.#keys.set(key.key, key)
  }

  /** Keys answered well, by target. */
  get succeeded(): ReadonlyMap<string, readonly string[]> {
    return this.#succeeded
  }

  get failures(): readonly Failure[] {
    return this.#failures
  }

  get givenBack(): readonly BatchKey[] {
    return [...this.#givenBack.values()]
  }

  /**
   * Keys that the mass-delete brake holds back, without a target; and keys that wait for a blocked index, which is their
   * target. One that is given back needs no parking: its mark is for that index, too.
   */
  get parked(): readonly BatchKey[] {
    const waiting = [...this.#waiting.values()].filter(({ key }) => !this.#givenBack.has(key))
    return [...this.#parked.values(), ...waiting]
  }

  /** Keys whose document was in an index and is not any more. */
  get deleted(): ReadonlySet<string> {
    return this.#deleted
  }

  /** Keys that lost against a newer version, with that version: to be examined before the batch is settled (invariant 5). */
  get superseded(): readonly { readonly key: BatchKey; readonly stored: bigint }[] {
    return this.#superseded
  }

  /** Why some keys got no verdict, if so: they are given back or charged, and the document has to wait. */
  get obstacle(): Obstacle | null {
    return this.#obstacle
  }

  /** Records the verdicts of one request. `elapsedMs`: from the claim to the answer. */
  answered(
    operations: readonly Operation[],
    verdicts: readonly ItemVerdict[],
    times: { readonly elapsedMs: number; readonly tookMs: number },
  ): void {
    const tookMs = times.tookMs / operations.length
    operations.forEach((operation, n) => {
      const verdict = verdicts[n]
      const key = this.#keys.get(operation.key)
      if (verdict === undefined || key === undefined) return
      const { index, kind } = operation
      const what = { index, operation: kind, outcome: verdict.outcome }
      this.tally.add(what, bodyBytes(operation), key.ageMs + times.elapsedMs, tookMs)
      this.#judge(operation, verdict, key)
    })
  }

  /** Records that a request got no answer: its keys are marked again, or charged where they were alone (see Confidence). */
  unanswered(operations: readonly Operation[], obstacle: Obstacle, fate: Verdict['fate']): void {
    this.#obstacle = obstacle
    for (const operation of operations) {
      const key = this.#keys.get(operation.key)
      if (key === undefined) continue
      if (fate === 'charge') this.#fail(operation, key, obstacle.type, obstacle.reason, false)
      else this.giveBack([key])
    }
  }

  /** Records keys that could not be read or encoded. They are dead: another attempt would read the same row. */
  impossible(failures: readonly KeyFailure[]): void {
    for (const failure of failures) {
      const key = this.#keys.get(failure.key)
      if (key === undefined) continue
      this.#failures.push({ ...failure, target: '', origin: key.origin, op: key.op, dead: true })
      this.#failedStates.set(key, { problem: failure.reason })
      this.#countRun(key, 'failed')
      this.tally.add({ index: '', operation: 'none', outcome: 'dead' }, 0, key.ageMs, 0)
    }
  }

  /** Records documents that could not be made, by a program that may do better next time: tried again as what an index refuses. */
  failed(failures: readonly KeyFailure[]): void {
    for (const failure of failures) {
      const key = this.#keys.get(failure.key)
      if (key === undefined) continue
      this.#failures.push({ ...failure, target: '', origin: key.origin, op: key.op, dead: false })
      this.#countRun(key, 'failed')
      this.tally.add({ index: '', operation: 'none', outcome: 'retry' }, 0, key.ageMs, 0)
    }
  }

  /** Records keys that need no operation: whatever failed of them before is over. */
  gone(keys: readonly string[]): void {
    for (const key of keys) this.#succeed({ index: '', key })
  }

  /** What failed, by key: to be compared with the rows as they are when the batch is settled. */
  get failedStates(): ReadonlyMap<BatchKey, FailedState> {
    return this.#failedStates
  }

  /**
   * The rows of these keys are no longer what failed: they are tried again before they are dead. Charged, for a document
   * with now() in it is another at every look, and its attempts have to end.
   */
  outdated(keys: readonly BatchKey[]): void {
    const changed = new Set(keys.map(({ key }) => key))
    this.#failures = this.#failures.map((failure) =>
      failure.dead && changed.has(failure.key) ? { ...failure, dead: false } : failure,
    )
  }

  /** Keys to be marked again, uncharged. */
  giveBack(keys: Iterable<BatchKey>): void {
    for (const key of keys) this.#givenBack.set(key.key, key)
  }

  /**
   * Deletes that the mass-delete brake holds back. Their marks leave the run, which would otherwise never end and let no
   * other begin; and they are for all indices, for marks of the parked lane with a target wait for that index.
   */
  park(operations: readonly Operation[]): void {
    for (const { key: name, index } of operations) {
      const key = this.#keys.get(name)
      if (key === undefined) continue
      this.#parked.set(name, { ...key, target: null, runId: null })
      this.tally.add({ index, operation: 'delete', outcome: 'blocked' }, 0, key.ageMs, 0)
    }
  }

  /**
   * Parks a key for an index that is known to be blocked, without sending anything. Its mark stays its run's: a run is
   * done when all its keys are in all indices, so it ends when the index takes writes again, or is given up.
   */
  wait(key: BatchKey, index: string): void {
    this.#wait(key, index)
    this.tally.add({ index, operation: 'none', outcome: 'blocked' }, 0, key.ageMs, 0)
  }

  /** What the batch adds to the runs that wrote its marks; a key that is given back, or waits, is not processed yet. */
  runCounts(marks: readonly Mark[]): readonly RunCounts[] {
    const waiting = new Set([...this.#waiting.values()].map(({ key }) => key))
    const processed = new Map<string, number>()
    for (const { runId, keys } of marks) {
      if (runId === null || keys === null) continue
      const own = keys.filter((key) => !this.#givenBack.has(key) && !waiting.has(key)).length
      processed.set(runId, (processed.get(runId) ?? 0) + own)
    }
    return [...processed].map(([runId, count]) => ({ ...this.#run(runId), runId, processed: count }))
  }

  #judge(operation: Operation, verdict: ItemVerdict, key: BatchKey): void {
    switch (verdict.outcome) {
      case 'done':
        this.#succeed(operation)
        if (verdict.result === 'deleted') this.#deleted.add(operation.key)
        if (verdict.result !== 'absent' && verdict.result !== 'noop') this.#countRun(key, verdict.result)
        return
      case 'superseded':
        if (verdict.stored === null) {
          this.#fail(
            operation,
            key,
            'version_conflict',
            'the answer does not say which version is stored',
            false,
          )
          return
        }
        this.#superseded.push({ key, stored: verdict.stored })
        this.#succeed(operation)
        return
      case 'retry':
        if (verdict.charged) {
          this.#fail(operation, key, verdict.type, verdict.reason, false)
          return
        }
        this.#postpone({ scope: 'document', type: verdict.type, reason: verdict.reason })
        this.giveBack([key])
        return
      case 'dead':
        this.#fail(operation, key, verdict.type, verdict.reason, true)
        return
      case 'blocked':
        this.#wait(key, operation.index)
    }
  }

  /** Too busy is what matters most of several: fewer in flight help. */
  #postpone(obstacle: Obstacle): void {
    if (this.#obstacle === null || !isTooBusy(this.#obstacle)) this.#obstacle = obstacle
  }

  #wait(key: BatchKey, index: string): void {
    this.#waiting.set(`${index} ${key.key}`, { ...key, target: index })
  }

  #succeed({ index, key }: Pick<Operation, 'index' | 'key'>): void {
    const keys = this.#succeeded.get(index)
    if (keys === undefined) this.#succeeded.set(index, [key])
    else keys.push(key)
  }

  #fail({ id, index, body }: Operation, key: BatchKey, type: string, reason: string, dead: boolean): void {
    const { origin, op } = key
    this.#failedStates.set(key, { body: body ?? null })
    this.#failures.push({ key: key.key, id, target: index, origin, op, type, reason, dead })
    this.#countRun(key, 'failed')
  }

  #countRun({ runId }: BatchKey, result: RunResult): void {
    if (runId !== null) this.#run(runId)[result] += 1
  }

  #run(runId: string): Record<RunResult, number> {
    let counts = this.#runs.get(runId)
    if (counts === undefined) {
      counts = { created: 0, updated: 0, deleted: 0, failed: 0 }
      this.#runs.set(runId, counts)
    }
    return counts
  }
}
