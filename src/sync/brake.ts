import { isTenantPattern } from '../config/tenant-index.ts'
import { rowSql } from '../documents/load.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import type { Operation } from '../elasticsearch/types.ts'
import { sqlState } from '../postgres/connect.ts'
import type { BrakeState } from '../queue/read-brake.ts'
import { type BrakeEntry, SAMPLE_SIZE } from '../queue/record-brake.ts'
import type { MarkOp, Target } from '../queue/types.ts'
import type { AddressedKey } from './addressed.ts'
import type { WorkSession } from './batch-store.ts'
import { explains } from './fold-marks.ts'
import { loadDocuments } from './load.ts'
import type { Outcomes } from './outcomes.ts'

/** What the brake has to know that is not in the database. */
export interface BrakeSettings {
  /** Share of the index that may go unexplained in a window (`brake.deletes`). */
  readonly share: (document: string) => number
  /** Number of documents in an index, or in all that a pattern stands for; a minute old is good enough. */
  readonly size: (index: string) => Promise<number>
}

export interface BrakeContext {
  readonly limits: { readonly requestTimeout: number }
  readonly elasticsearch: Pick<Elasticsearch, 'existing'>
  readonly brake: BrakeSettings
}

type BrakeWork = Pick<WorkSession, 'readBrake' | 'readRows'>

/** Where the configuration says nothing. */
export const DEFAULT_SHARE = 0.1

/** Below this a share says little: a tenth of 200 documents is an ordinary afternoon. */
export const ALWAYS_ALLOWED = 1_000

/** Unexplained deletes that a window allows. */
export function deleteLimit(share: number, documents: number): number {
  return Math.max(ALWAYS_ALLOWED, Math.floor(share * documents))
}

/**
 * The mass-delete brake, for one batch (invariant 12). Deletes are derived from absence, so a mistyped `where` or a
 * broken restore turns into deletes. One is *explained* when the application took the row away:
 *
 * - its mark is of op `delete`: a DELETE, a verify after TRUNCATE, or an operator who confirmed it; or
 * - the row was there when its mark was written (insert, update, a walk) and is gone from the root table now: a DELETE
 *   or TRUNCATE whose own mark is still on its way, or an UPDATE of its key. A row that merely stopped matching is
 *   still in the table; or
 * - the row is at another address now, where its document is.
 *
 * The others are counted, once Elasticsearch says that it deleted something: rows that never matched cost nothing,
 * however many there are. What would go beyond the limit is held back, the rest of the batch goes on.
 *
 * The check reads what is committed, so each batch in flight may add up to one batch to the limit. A request whose
 * answer was lost is not counted, and its deletes are found absent the next time.
 */
export class Brake {
  readonly #context: BrakeContext
  readonly #work: BrakeWork
  readonly #plan: DocumentPlan
  readonly #live: string | undefined
  readonly #keys: readonly AddressedKey[]
  #byKey: ReadonlyMap<string, AddressedKey> | undefined
  /** Keys of rows that are at another address. */
  readonly #moved = new Set<string>()
  /** Key → whether its row is gone from the root table. */
  readonly #gone = new Map<string, boolean>()
  readonly #parked = new Map<string, Operation>()
  #state: BrakeState | undefined
  #documents: number | null = null

  constructor(
    context: BrakeContext,
    work: BrakeWork,
    plan: DocumentPlan,
    { targets, keys }: { readonly targets: readonly Target[]; readonly keys: readonly AddressedKey[] },
  ) {
    this.#context = context
    this.#work = work
    this.#plan = plan
    this.#live = isTenantPattern(plan.index)
      ? templatePattern(plan.index)
      : targets.find(({ role }) => role === 'live')?.index
    this.#keys = keys
  }

  /** What is deleted of these keys is written elsewhere. */
  moved(keys: readonly string[]): void {
    for (const key of keys) this.#moved.add(key)
  }

  /**
   * Operations that may be sent; the keys of the others are parked. Costs nothing where every delete has its mark;
   * one short read (once a batch) where the limit is far; looks at rows and index only where it would be passed.
   */
  async pass(operations: readonly Operation[], outcomes: Outcomes): Promise<readonly Operation[]> {
    const deletes = operations.filter(({ kind, key }) => kind === 'delete' && this.#isUnexplained(key))
    const suspects = distinctKeys(deletes)
    if (suspects.length === 0) return operations
    const already = (await this.#read()).deletes + this.#unexplained(outcomes.deleted).length
    if (await this.#allows(already + suspects.length)) return operations

    await this.#lookForRows(suspects)
    const doubtful = deletes.filter(({ key }) => this.#isUnexplained(key))
    const there = await this.#context.elasticsearch.existing(doubtful)
    const wanted = doubtful.filter((_, n) => there[n])
    if (wanted.length === 0 || (await this.#allows(already + distinctKeys(wanted).length))) return operations

    for (const operation of wanted) this.#parked.set(operation.key, operation)
    outcomes.park(wanted)
    return operations.filter(({ key }) => !this.#parked.has(key))
  }

  /** What the batch adds to the count; null: nothing. */
  async entry(outcomes: Outcomes): Promise<BrakeEntry | null> {
    await this.#lookForRows(this.#unexplained(outcomes.deleted))
    const deletes = this.#unexplained(outcomes.deleted).length
    const parked = [...this.#parked.values()]
    if (deletes === 0 && parked.length === 0) return null
    return {
      document: this.#plan.document,
      deletes,
      documents: this.#documents,
      parked: parked.length,
      sample: parked.slice(0, SAMPLE_SIZE).map(({ id }) => id),
    }
  }

  async #read(): Promise<BrakeState> {
    this.#state ??= await this.#work.readBrake(this.#plan.document)
    return this.#state
  }

  async #allows(deletes: number): Promise<boolean> {
    const { tripped, deletes: counted, documents } = await this.#read()
    if (tripped) return false
    if (deletes <= ALWAYS_ALLOWED) return true
    const { share, size } = this.#context.brake
    // What was deleted since the window began was in the index then.
    this.#documents ??= documents ?? (this.#live === undefined ? 0 : await size(this.#live)) + counted
    return deletes <= deleteLimit(share(this.#plan.document), this.#documents)
  }

  #unexplained(keys: Iterable<string>): readonly string[] {
    return [...keys].filter((key) => this.#isUnexplained(key))
  }

  #opOf(key: string): MarkOp {
    return this.#keyOf(key)?.op ?? 'retry'
  }

  /** Most batches delete nothing, and never ask. */
  #keyOf(key: string): AddressedKey | undefined {
    this.#byKey ??= new Map(this.#keys.map((one) => [one.key, one]))
    return this.#byKey.get(key)
  }

  #isUnexplained(key: string): boolean {
    if (this.#moved.has(key)) return false
    const says = explains(this.#opOf(key))
    return says === 0 || (says === 1 && this.#gone.get(key) !== true)
  }

  /** One short transaction, once for each key that it matters for. */
  async #lookForRows(keys: readonly string[]): Promise<void> {
    const unknown = keys.filter((key) => !this.#gone.has(key) && explains(this.#opOf(key)) === 1)
    if (unknown.length === 0) return
    const there = await this.#rows(unknown)
    for (const key of unknown) this.#gone.set(key, there !== null && !there.has(key))
  }

  /** Keys that have a row in the root table; null when that cannot be told: a column or the table has another name now. */
  async #rows(keys: readonly string[]): Promise<ReadonlyMap<string, unknown> | null> {
    const { key, idParts, table } = this.#plan
    const asked = keys.flatMap((name) => this.#keyOf(name) ?? [])
    try {
      const rows = await loadDocuments(
        this.#work,
        { key, idParts, loadSql: rowSql(table, key, idParts) },
        asked,
        this.#context.limits.requestTimeout,
      )
      return new Map([...rows.documents].filter(([name, row]) => row.key === name))
    } catch (error) {
      if (sqlState(error)?.startsWith('42') === true) return null
      throw error
    }
  }
}

function distinctKeys(operations: readonly Operation[]): readonly string[] {
  return [...new Set(operations.map(({ key }) => key))]
}
