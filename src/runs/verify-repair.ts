import { isTenantPattern } from '../config/tenant-index.ts'
import { count, plural } from '../counts.ts'
import { encodeKey, partsOfId } from '../documents/keys.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import type { Operation } from '../elasticsearch/types.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { addRunCounts } from '../queue/add-run-counts.ts'
import { enqueueKeys } from '../queue/enqueue-keys.ts'
import { readBrake } from '../queue/read-brake.ts'
import { recordBrake } from '../queue/record-brake.ts'
import { DEFAULT_SHARE, deleteLimit } from '../sync/brake.ts'
import { Obstructed } from '../sync/obstacle.ts'
import { sendOperations } from '../sync/send.ts'
import { advance } from './advance.ts'
import { placeAddress } from './compare-places.ts'
import type { Confirmed } from './compare-suspects.ts'
import type { RunWork } from './context.ts'
import { findOrphans } from './orphans.ts'
import { hasRoom, waitFor } from './pacing.ts'
import type { Run } from './types.ts'
import type { VerifyOptions } from './verify-options.ts'

/** Longest wait for room in the queue: Elasticsearch forgets a listing that pauses for five minutes. */
const ROOM_TIMEOUT_MS = 60_000

/** Documents that are no row's, deleted in one run. */
const MOST_FOREIGN = 100_000

/**
 * Puts right what a verify found, by marks: the pipeline looks at each row again before it writes or deletes. Only an
 * `_id` that is no key of the document has no mark, and is deleted by its address, with the version that was seen of it:
 * what somebody has written there since is newer, and stays.
 *
 * The mass-delete brake counts both: a mark of op `orphan` is unexplained, and what is deleted here is counted, or
 * refused as a whole where it is more than the brake allows. Then `deletes` confirms it.
 */
export class Repair {
  readonly #work: RunWork
  readonly #options: VerifyOptions
  readonly #foreign: Confirmed[] = []
  #foreignCount = 0
  #run: Run

  constructor(work: RunWork, run: Run, options: VerifyOptions) {
    this.#work = work
    this.#run = run
    this.#options = options
  }

  /** The run, as its marks have moved it on. */
  get run(): Run {
    return this.#run
  }

  /** Marks what differs, as far as it is to be repaired. */
  async add(differences: readonly Confirmed[]): Promise<void> {
    const { repair, deletes = false } = this.#options
    const extras = differences.filter(({ kind }) => kind === 'extra')
    const foreign = extras.filter(({ place }) => place.key === null)
    this.#foreignCount += foreign.length
    this.#foreign.push(...foreign.slice(0, MOST_FOREIGN - this.#foreign.length))
    const rows = repair === 'all' ? keysOf(differences.filter(({ kind }) => kind !== 'extra')) : []
    const explained = deletes || this.#run.truncated
    await this.#mark('backfill', [...rows, ...(await this.#overwritten(foreign))])
    await this.#mark(explained ? 'delete' : 'orphan', keysOf(extras))
  }

  /**
   * Deletes documents that no row can have, once the marks are drained; returns what to tell of those that were left.
   * Nothing of it is deleted where all of it is more than the brake allows.
   */
  async deleteForeign(): Promise<readonly string[]> {
    const { pool, schema, plan } = this.#work
    const { document } = plan
    if (this.#foreignCount === 0) return []
    const { allowed, documents } = await this.#allowed()
    if (this.#options.deletes !== true && this.#foreignCount > allowed) {
      return [
        `${plural(this.#foreignCount, 'document', 'documents')} whose _id is no key of ${document} stayed: the mass-delete ` +
          `brake allows ${count(allowed)}. If they are to go: sluice verify ${document} --repair --deletes`,
      ]
    }
    const deleted = await this.#delete(await this.#unchanged())
    const counts = { processed: 0, created: 0, updated: 0, deleted, failed: 0 }
    await inTransaction(pool, async (client) => {
      await recordBrake(client, schema, { document, deletes: deleted, documents, parked: 0, sample: [] })
      await addRunCounts(client, schema, [{ runId: this.#run.id, ...counts }])
    })
    return []
  }

  async #mark(op: 'backfill' | 'orphan' | 'delete', keys: readonly string[]): Promise<void> {
    const { cursor, document, id: runId, origin } = this.#run
    if (keys.length === 0 || cursor === null) return
    const { pool, schema } = this.#work
    await waitFor(this.#work, this.#run, hasRoom, ROOM_TIMEOUT_MS)
    this.#run = await inTransaction(pool, async (client) => {
      await enqueueKeys(client, schema, { document, lane: 1, op, keys, runId, origin })
      return advance(client, schema, this.#run, { to: cursor, walked: keys.length })
    })
  }

  /**
   * Keys of rows whose document may be under a routing that is no row's: in the same shard an `_id` is one document, and
   * deleting it would take the row's with it. Written anew first, it has another version.
   */
  async #overwritten(foreign: readonly Confirmed[]): Promise<readonly string[]> {
    const { pool, schema, plan } = this.#work
    if (plan.key.length > plan.idParts) return []
    const documents = foreign
      .filter(({ place }) => place.routing !== null)
      .map(({ place: { alias, id } }) => ({ alias, id, routing: null }))
    if (documents.length === 0) return []
    const orphans = await findOrphans(pool, plan, schema, documents)
    const none = new Set([...orphans.rowless.map(({ document }) => document), ...orphans.foreign])
    return documents.flatMap((document) => {
      const parts = none.has(document) ? null : partsOfId(document.id, plan.idParts)
      return parts === null ? [] : [encodeKey(parts)]
    })
  }

  /** Deletes that the brake still allows in this window, and the documents that were there when it began. */
  async #allowed(): Promise<{ readonly allowed: number; readonly documents: number }> {
    const { pool, schema, plan, elasticsearch, definition } = this.#work
    const { tripped, deletes, documents } = await readBrake(pool, schema, plan.document)
    const searched = isTenantPattern(plan.index) ? templatePattern(plan.index) : plan.index
    const there = documents ?? (await elasticsearch.count(searched)) + deletes
    const limit = deleteLimit(definition?.brake?.deletes ?? DEFAULT_SHARE, there)
    return { allowed: tripped ? 0 : Math.max(0, limit - deletes), documents: there }
  }

  /** Those that stand as they were seen. Where a row's document is in their place now, the version may be the same. */
  async #unchanged(): Promise<readonly Confirmed[]> {
    const unchanged: Confirmed[] = []
    for (let start = 0; start < this.#foreign.length; start += DELETES_AT_ONCE) {
      const some = this.#foreign.slice(start, start + DELETES_AT_ONCE)
      const addresses = some.map(({ place }) => placeAddress(place))
      const stands = await this.#work.elasticsearch.stored(addresses, { source: false })
      unchanged.push(
        ...some.filter(
          ({ place, version }, n) => stands[n]?.version === version && stands[n]?.routing === place.routing,
        ),
      )
    }
    return unchanged
  }

  async #delete(foreign: readonly Confirmed[]): Promise<number> {
    const { elasticsearch, signal } = this.#work
    const byVersion = new Map<string, Operation[]>()
    for (const { place, version } of foreign) {
      const operation: Operation = { kind: 'delete', ...placeAddress(place), key: place.id }
      const some = byVersion.get(version ?? '0')
      if (some === undefined) byVersion.set(version ?? '0', [operation])
      else some.push(operation)
    }
    let deleted = 0
    for (const [version, operations] of byVersion) {
      for (let start = 0; start < operations.length; start += DELETES_AT_ONCE) {
        const some = operations.slice(start, start + DELETES_AT_ONCE)
        const sent = await sendOperations(elasticsearch, some, BigInt(version), async () => {
          signal.throwIfAborted()
          return true
        })
        if (sent.outcome === 'obstacle') throw new Obstructed(sent.obstacle)
        deleted += sent.verdicts.filter(
          (verdict) => verdict.outcome === 'done' && verdict.result === 'deleted',
        ).length
      }
    }
    return deleted
  }
}

const DELETES_AT_ONCE = 1_000

function keysOf(differences: readonly Confirmed[]): readonly string[] {
  return [...new Set(differences.flatMap(({ place }) => place.key ?? []))]
}
