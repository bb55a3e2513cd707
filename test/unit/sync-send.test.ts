import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BulkAnswer, Operation } from '../../src/elasticsearch/types.ts'
import { sendOperations } from '../../src/sync/send.ts'

const operations = (count: number): Operation[] =>
  Array.from({ length: count }, (_, n) => ({
    kind: 'index',
    index: 'i',
    id: `${n}`,
    key: `${n}`,
    body: Buffer.from('{}'),
  }))

/** A server that refuses any request holding one of these ids: what a real one does with a malformed operation. */
const refusing = (poison: ReadonlySet<string>, answer: 'refused' | 'too-large') => {
  const requests: number[] = []
  return {
    requests,
    bulk: async (_body: Buffer, sent: readonly Operation[]): Promise<BulkAnswer> => {
      requests.push(sent.length)
      if (sent.some(({ id }) => poison.has(id))) {
        return answer === 'refused'
          ? { outcome: 'refused', type: 'illegal', reason: 'bad' }
          : { outcome: 'too-large', reason: 'bad' }
      }
      return {
        outcome: 'answered',
        items: sent.map(() => ({ outcome: 'done', result: 'created' })),
        tookMs: 1,
      }
    },
  }
}

describe('a request that is refused as a whole', () => {
  test.each(['refused', 'too-large'] as const)(
    '%s: one poison document among 1,000 costs at most 21 requests',
    async (kind) => {
      const server = refusing(new Set(['637']), kind)
      const sent = await sendOperations(server, operations(1000), 1n, async () => true)
      expect(server.requests.length).toBeLessThanOrEqual(21)
      if (sent.outcome !== 'answered') throw new Error('expected an answer')
      expect(sent.verdicts.flatMap((verdict, n) => (verdict.outcome === 'dead' ? [n] : []))).toEqual([637])
    },
  )

  test('verdicts stay aligned with operations, whichever are poison', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.uniqueArray(fc.nat(39)), async (count, poison) => {
        const server = refusing(new Set(poison.map(String)), 'refused')
        const sent = await sendOperations(server, operations(count), 1n, async () => true)
        if (sent.outcome !== 'answered') throw new Error('expected an answer')
        const dead = sent.verdicts.flatMap((verdict, n) => (verdict.outcome === 'dead' ? [n] : []))
        expect(sent.verdicts).toHaveLength(count)
        expect(dead).toEqual(poison.filter((n) => n < count).sort((a, b) => a - b))
      }),
    )
  })
})

test('the claim is looked after before every request', async () => {
  let checks = 0
  const server = refusing(new Set(['3']), 'refused')
  await sendOperations(server, operations(8), 1n, async () => {
    checks += 1
    return true
  })
  expect(checks).toBe(server.requests.length)
})

test('what is left when the time of the claim is over is not sent, but marked again; what was answered counts', async () => {
  const server = refusing(new Set(['6']), 'refused')
  const sent = await sendOperations(server, operations(8), 1n, async () => server.requests.length < 3)
  expect(server.requests).toEqual([8, 4, 4])
  if (sent.outcome !== 'answered') throw new Error('expected an answer')
  expect(sent.verdicts.map(({ outcome }) => outcome)).toEqual([
    ...Array.from({ length: 4 }, () => 'done'),
    ...Array.from({ length: 4 }, () => 'retry'),
  ])
  expect(sent.verdicts[7]).toMatchObject({ charged: false, type: 'claim_over' })
})

test('an unknown outcome is an obstacle, whatever was answered before', async () => {
  let calls = 0
  const server = {
    bulk: async (_body: Buffer, sent: readonly Operation[]): Promise<BulkAnswer> => {
      calls += 1
      if (calls === 1) return { outcome: 'refused', type: 'x', reason: 'x' }
      if (calls === 2)
        return {
          outcome: 'answered',
          items: sent.map(() => ({ outcome: 'done', result: 'created' })),
          tookMs: 1,
        }
      return { outcome: 'unknown', type: 'timeout', reason: 'no answer' }
    },
  }
  expect(await sendOperations(server, operations(4), 1n, async () => true)).toEqual({
    outcome: 'obstacle',
    obstacle: { scope: 'elasticsearch', type: 'timeout', reason: 'no answer' },
  })
})

const answer = (given: BulkAnswer) =>
  sendOperations({ bulk: async () => given }, operations(1), 1n, async () => true)

test('what Elasticsearch blocks is an obstacle, as no answer is', async () => {
  expect(await answer({ outcome: 'blocked', type: 'security_exception', reason: 'no' })).toEqual({
    outcome: 'obstacle',
    obstacle: { scope: 'elasticsearch', type: 'security_exception', reason: 'no' },
  })
})

test.each<[BulkAnswer, string]>([
  [{ outcome: 'too-large', reason: 'r' }, 'request_too_large'],
  [{ outcome: 'refused', type: 'illegal', reason: 'r' }, 'illegal'],
])('%j is what the last one left is dead of', async (given, type) => {
  expect(await answer(given)).toEqual({
    outcome: 'answered',
    verdicts: [{ outcome: 'dead', type, reason: 'r' }],
    tookMs: 0,
  })
})

test('of the halves of a request no more is sent once one got no answer, and their times add up', async () => {
  const sizes: number[] = []
  const server = (then: BulkAnswer['outcome']) => ({
    bulk: async (_body: Buffer, sent: readonly Operation[]): Promise<BulkAnswer> => {
      sizes.push(sent.length)
      if (sent.length > 1) return { outcome: 'refused', type: 'x', reason: 'x' }
      if (then === 'unknown') return { outcome: 'unknown', type: 'timeout', reason: 'no answer' }
      return { outcome: 'answered', items: [{ outcome: 'done', result: 'created' }], tookMs: 3 }
    },
  })
  expect(await sendOperations(server('unknown'), operations(2), 1n, async () => true)).toMatchObject({
    outcome: 'obstacle',
  })
  expect(sizes).toEqual([2, 1])
  expect(await sendOperations(server('answered'), operations(2), 1n, async () => true)).toMatchObject({
    tookMs: 6,
  })
})

test('nothing is sent where the time of the claim is over before the first request', async () => {
  const server = refusing(new Set(), 'refused')
  expect(await sendOperations(server, operations(1), 1n, async () => false)).toEqual({
    outcome: 'answered',
    verdicts: [
      {
        outcome: 'retry',
        charged: false,
        type: 'claim_over',
        reason: "the claim's time was over before it was sent",
      },
    ],
    tookMs: 0,
  })
  expect(server.requests).toEqual([])
})

test.each([
  ['an answered request is given back at once', { outcome: 'answered', items: [], tookMs: 1 }, 0],
  [
    'one without an answer may still be on its way, and is kept',
    { outcome: 'unknown', type: 'timeout', reason: 'no answer', suspicious: true },
    1,
  ],
] as const)('the memory of %s', async (_, answer, kept) => {
  const bodies: Buffer[] = []
  const bulk = async (body: Buffer): Promise<BulkAnswer> => {
    bodies.push(body)
    return answer
  }
  await sendOperations({ bulk }, operations(3), 1n, async () => true)
  // Short ones, too: none shares its memory with others.
  expect(bodies.map(({ buffer }) => Math.sign(buffer.byteLength))).toEqual([kept])
})
