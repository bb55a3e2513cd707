import type { AddressedKey } from '../../src/sync/addressed.ts'
import { Confidence } from '../../src/sync/confidence.ts'
import { isAlone, LineUp } from '../../src/sync/line-up.ts'
import { SliceSizer } from '../../src/sync/slice-sizer.ts'

/** Attempts of a document before it is dead (MAX_RETRIES). */
const MOST_ATTEMPTS = 5

const REQUEST_BYTES = 1024 * 1024

const keyOf = (id: string): AddressedKey => ({
  key: id,
  parts: [id],
  id,
  alias: 'a',
  routing: null,
  origin: '1',
  op: 'update',
  target: null,
  runId: null,
  ageMs: 0,
})

export interface Course {
  /** Sizes of the requests, in their order. */
  readonly requests: readonly number[]
  readonly indexed: ReadonlySet<string>
  readonly dead: ReadonlySet<string>
  /** Charges, by id. */
  readonly charged: ReadonlyMap<string, number>
}

interface Options {
  /** Whether a request with these keys gets no answer. */
  readonly isLost: (keys: readonly AddressedKey[]) => boolean
  readonly documentBytes?: number
  /** How long a request without an answer takes, and a pause after it. */
  readonly timeoutMs?: number
  /** Documents of somebody else come where a single one is left: without another answer nobody is charged (invariant 10). */
  readonly othersWrite?: boolean
}

/**
 * What becomes of documents before a server that is silent about some requests: the queue, claims of up to 1,000 keys and
 * retries around the real LineUp and Confidence, as batch.ts has them.
 */
export function drained(
  count: number,
  { isLost, documentBytes = 800, timeoutMs = 1_000, othersWrite = false }: Options,
  confidence?: Confidence,
): Course {
  const clock = { now: 1_000_000_000 }
  const trust = confidence ?? new Confidence(() => clock.now)
  const sizer = new SliceSizer()
  const body = Buffer.alloc(documentBytes)
  const requests: number[] = []
  const indexed = new Set<string>()
  const dead = new Set<string>()
  const charged = new Map<string, number>()
  let queue = Array.from({ length: count }, (_, n) => keyOf(String(n)))
  for (let batches = 0; queue.length > 0; batches++) {
    if (batches > 10_000) throw new Error(`${queue.length} keys are left`)
    const claimed = queue.slice(0, 1_000)
    const lineUp = new LineUp(trust.suspects, claimed.slice(0, trust.mostKeys))
    const done = new Set<AddressedKey>()
    let after: readonly AddressedKey[] = []
    let lost = false
    for (;;) {
      const slice = lineUp.next(sizer.keys(REQUEST_BYTES))
      if (slice.length === 0) break
      sizer.observe(
        slice.length,
        slice.map(() => ({ kind: 'index', body })),
      )
      requests.push(slice.length)
      if (!isLost(slice)) {
        trust.answered(slice)
        for (const key of slice) {
          done.add(key)
          indexed.add(key.id)
        }
        continue
      }
      clock.now += timeoutMs
      lost = true
      const { fate } = trust.unanswered(slice, { alone: isAlone(slice), busy: false })
      if (fate === 'give-back' && done.size === 0) break
      after = slice
      if (fate !== 'charge') break
      for (const { id } of slice) {
        charged.set(id, (charged.get(id) ?? 0) + 1)
        if ((charged.get(id) ?? 0) < MOST_ATTEMPTS) continue
        dead.add(id)
        after = []
        done.add(slice[0] as AddressedKey)
      }
      break
    }
    if (!lost) trust.gotThrough(1_000)
    const last = new Set(after)
    // A retry is a mark of its own, in a batch of its own.
    if (lost || done.size > 0) queue = [...queue.filter((key) => !done.has(key) && !last.has(key)), ...after]
    if (othersWrite && lost && queue.length === 1 && charged.get(queue[0]?.id ?? '') === undefined) {
      trust.answered([keyOf(`another ${batches}`)])
    }
  }
  return { requests, indexed, dead, charged }
}

/** A server that is silent about whatever holds one of these. */
export const silentAbout = (...poison: readonly string[]) => {
  const those = new Set(poison)
  return { isLost: (keys: readonly AddressedKey[]) => keys.some(({ id }) => those.has(id)) }
}
