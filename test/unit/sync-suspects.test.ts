import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drained, silentAbout } from './silent-server.ts'

// Hundreds of drains: longer than a mutation test waits, where its instruments and a busy machine slow them down.
const patient = { timeout: 60_000 }

describe('one document in 1,000 that gets no answer', () => {
  test(
    'is dead after at most 21 requests, wherever it is; all others are indexed, and nobody else is charged',
    patient,
    () => {
      const wrong: unknown[] = []
      let most = 0
      for (let n = 0; n < 1_000; n++) {
        const { requests, indexed, dead, charged } = drained(1_000, silentAbout(`${n}`))
        most = Math.max(most, requests.length)
        const right =
          indexed.size === 999 && dead.size === 1 && charged.size === 1 && charged.get(`${n}`) === 5
        if (!right) wrong.push({ n, indexed: indexed.size, dead, charged })
      }
      expect([wrong, most]).toEqual([[], 21])
    },
  )

  test('two thirds and one third, then halves of what is left; the rest in one request, the retries alone', () => {
    const { requests } = drained(1_000, silentAbout('340'))
    expect(requests).toEqual([4, 16, 64, 256, 660, 440, 220, 110, 55, 28, 14, 7, 4, 2, 1, 659, 1, 1, 1, 1, 1])
  })

  test('costs some more where a step lasts as long as REQUEST_TIMEOUT: the others do not wait for the end', () => {
    const { requests, indexed } = drained(1_000, { ...silentAbout('340'), timeoutMs: 30_000 })
    expect(indexed.size).toBe(999)
    expect(requests.length).toBeLessThanOrEqual(35)
  })
})

test('several of them are all found, and nobody else is charged, for about 21 requests each', patient, () => {
  const several = fc.uniqueArray(fc.nat(999), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(several, (poison) => {
      const ids = poison.map(String)
      const server = { ...silentAbout(...ids), othersWrite: true }
      const { requests, indexed, dead, charged } = drained(1_000, server)
      expect(indexed.size).toBe(1_000 - ids.length)
      expect([...dead].toSorted()).toEqual(ids.toSorted())
      expect([...charged.values()]).toEqual(ids.map(() => 5))
      expect(requests.length).toBeLessThanOrEqual(4 + 21 * ids.length)
    }),
    { numRuns: 100, examples: [[[998, 999]]] },
  )
})

describe('a network that loses requests at random', () => {
  const lossy = (share: number, random: () => number) => ({ isLost: () => random() < share })
  const seeds = Array.from({ length: 100 }, (_, n) => n + 1)

  test.each([0.05, 0.25, 0.4])('%d of them: makes no dead letter, and everything arrives', (share) => {
    for (const seed of seeds) {
      const { indexed, dead } = drained(200, lossy(share, seeded(seed)))
      expect([seed, indexed.size, dead.size]).toEqual([seed, 200, 0])
    }
  })
})

test('a server that answers in time up to fifty documents takes them all, without a charge', () => {
  const { requests, indexed, charged } = drained(1_000, { isLost: ({ length }) => length > 50 })
  expect([indexed.size, charged.size]).toEqual([1_000, 0])
  expect(requests.length).toBeLessThanOrEqual(100)
})

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
