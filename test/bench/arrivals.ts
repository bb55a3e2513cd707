import { operationsOf } from '../support/bulk-body.ts'
import type { BulkExchange } from './observer.ts'

interface Change {
  readonly sequence: number
  /** When the commit's answer came; null while it is on its way. */
  committedAt: number | null
  /** When Elasticsearch had answered for a document that shows it. */
  answeredAt: number | null
}

/**
 * Matches commits with Elasticsearch's answers, on one clock. A row's document carries the number of its last change;
 * an answered document stands for all changes of its row up to that number.
 */
export class Arrivals {
  readonly #index: string
  /** By document id; oldest first. */
  readonly #pending = new Map<string, Change[]>()
  readonly #latencies: { readonly committedAt: number; readonly ms: number }[] = []
  #outstanding = 0

  /** `index`: how the names of the physical indices begin. */
  constructor(index: string) {
    this.#index = `${index}-`
  }

  /** Milliseconds from commit to answer, of all changes that have both. */
  get latencies(): readonly number[] {
    return this.#latencies.map(({ ms }) => ms)
  }

  /** Those of changes that were committed within one of these spans, ends included; monotonic milliseconds. */
  latenciesWithin(spans: readonly (readonly [from: number, to: number])[]): readonly number[] {
    return this.#latencies
      .filter(({ committedAt: at }) => spans.some(([from, to]) => from <= at && at <= to))
      .map(({ ms }) => ms)
  }

  /** Changes without both. */
  get outstanding(): number {
    return this.#outstanding
  }

  /** Announces a change, before its statement is sent; the result is to be called when its commit is answered. */
  expect(id: string, sequence: number): (committedAt: number) => void {
    const change: Change = { sequence, committedAt: null, answeredAt: null }
    const changes = this.#pending.get(id)
    if (changes === undefined) this.#pending.set(id, [change])
    else changes.push(change)
    this.#outstanding += 1
    return (committedAt) => {
      change.committedAt = committedAt
      this.#finish(change)
    }
  }

  observe({ body, status, answer, answeredAt }: BulkExchange): void {
    if (status !== 200 || this.#pending.size === 0) return
    let statuses: readonly number[] | null = null
    let position = -1
    for (const { index, id, document } of operationsOf(body)) {
      position += 1
      const changes = this.#pending.get(id)
      if (changes === undefined || document === null || !index.startsWith(this.#index)) continue
      statuses ??= itemStatuses(answer)
      if ((statuses[position] ?? 500) >= 300) continue
      const shown = Number(/"seq":(\d+)/.exec(document)?.[1] ?? 0)
      const rest = changes.filter((change) => change.sequence > shown)
      if (rest.length === 0) this.#pending.delete(id)
      else this.#pending.set(id, rest)
      for (const change of changes) {
        if (change.sequence > shown) continue
        change.answeredAt = answeredAt
        this.#finish(change)
      }
    }
  }

  /** The answer may be there before the client has heard of its own commit: that counts as 0. */
  #finish({ committedAt, answeredAt }: Change): void {
    if (committedAt === null || answeredAt === null) return
    this.#outstanding -= 1
    this.#latencies.push({ committedAt, ms: Math.max(0, answeredAt - committedAt) })
  }
}

function itemStatuses(answer: string): readonly number[] {
  const { items = [] } = JSON.parse(answer) as { items?: readonly Record<string, { status: number }>[] }
  return items.map((item) => Object.values(item)[0]?.status ?? 500)
}
