import pino from 'pino'
import { describe, expect, test } from 'vitest'
import { batchEnded, type Consequences } from '../../src/sync/batch-ended.ts'
import { type Assignment, Dispatcher } from '../../src/sync/dispatcher.ts'
import type { DocumentPauses } from '../../src/sync/document-pauses.ts'
import { Tally } from '../../src/sync/tally.ts'
import type { BatchResult, Obstacle } from '../../src/sync/types.ts'

/** What a batch's end does to the claims after it. */
function world({ concurrency = 4 } = {}) {
  const clock = { now: 0 }
  const dispatcher = new Dispatcher({ now: () => clock.now, random: () => 1, concurrency, trialMs: 1_000 })
  const documents = ['city', 'river']
  dispatcher.open()
  dispatcher.found(documents.map((document) => ({ document, lane: 1 as const })))
  const gone: string[] = []
  const counts = { served: 0, hurried: 0 }
  const said: unknown[] = []
  const consequences: Consequences = {
    log: pino({ base: null, timestamp: false }, { write: (line) => said.push(JSON.parse(line)) }),
    dispatcher,
    // What is told and stored when a pause begins is another matter.
    pauses: {
      begin: (...pause: Parameters<Dispatcher['pause']>) => dispatcher.pause(...pause),
      end: (document: string) => dispatcher.recovered(document),
    } as unknown as DocumentPauses,
    served: () => {
      counts.served += 1
    },
    hurry: () => {
      counts.hurried += 1
    },
    goneAway: (server, reason) => gone.push(`${server}: ${reason}`),
  }
  /** All that may be claimed now. */
  const claims = async () => {
    const claimed: string[] = []
    for (;;) {
      const next = await Promise.race([dispatcher.next(), Promise.resolve(undefined)])
      if (next === undefined || next === null) break
      claimed.push(next.document)
    }
    return claimed
  }
  return {
    clock,
    dispatcher,
    gone,
    counts,
    said,
    claims,
    ended: (result: BatchResult, assignment: Assignment = { document: 'city', lane: 1 }) =>
      batchEnded(consequences, assignment, result),
  }
}

const unanswered = (type: string, suspicious: boolean): BatchResult => ({
  outcome: 'given-back',
  obstacle: { scope: 'elasticsearch', type, reason: type, ...(suspicious ? { suspicious: true } : {}) },
})

const settled = {
  outcome: 'settled',
  tally: new Tally(),
  givenBack: 0,
  obstacle: null,
  tripped: null,
  foreign: null,
  full: false,
} as const

const settledBut = (obstacle: Obstacle, tally = new Tally()): BatchResult => ({
  ...settled,
  tally,
  givenBack: 1,
  obstacle,
})

const someDone = () => {
  const tally = new Tally()
  tally.add({ index: 'i', operation: 'index', outcome: 'done' }, 1, 1, 1)
  return tally
}

test('a request that a document may have spoiled: the server is asked, and this document waits, each time longer', () => {
  const { clock, dispatcher, gone, ended } = world()
  for (let n = 1; n <= 3; n++) {
    ended(unanswered('http_502', true))
    expect(gone).toHaveLength(n)
    // Another document settles meanwhile, which says that the server is well.
    dispatcher.recovered('river')
    expect(dispatcher.pauses).toMatchObject([{ document: 'city', attempt: n, type: 'http_502' }])
    clock.now += 60_000
  }
})

test('a server that is away is no matter of the document’s', () => {
  const { dispatcher, gone, ended } = world()
  ended(unanswered('connect_error', false))
  expect(gone).toEqual(['elasticsearch: connect_error'])
  expect(dispatcher.pauses).toEqual([])
})

test.each<[string, BatchResult]>([
  ['a request refused with 429', unanswered('http_429', true)],
  ['one for which the memory was too short', unanswered('circuit_breaking_exception', true)],
  ['503', unanswered('http_503', false)],
  [
    'an item refused with 429',
    settledBut({ scope: 'document', type: 'rejected_execution_exception', reason: 'r' }),
  ],
  [
    'an item whose shard is away',
    settledBut({ scope: 'document', type: 'unavailable_shards_exception', reason: 'r' }),
  ],
])('%s: half as many are in flight', async (_, result) => {
  const { clock, claims, ended } = world()
  ended(result)
  clock.now += 60_000
  expect(await claims()).toHaveLength(2)
})

describe('a batch that ended with a request without an answer', () => {
  const silent: Obstacle = { scope: 'elasticsearch', type: 'timeout', reason: 'r', suspicious: true }
  const cases: [string, BatchResult, number, number][] = [
    ['and with nothing else: the document waits longer and longer', settledBut(silent), 5, 0],
    ['after others were answered', settledBut(silent, someDone()), 3, 5],
    ['on the way to its cause', settledBut({ ...silent, moving: true }), 3, 5],
  ]
  test.each(cases)('%s', (_, result, attempt, served) => {
    const { dispatcher, ended, counts } = world()
    for (let n = 0; n < 5; n++) ended(result)
    expect(dispatcher.pauses).toMatchObject([{ document: 'city', attempt }])
    expect(counts.served).toBe(served)
  })
})

test('what is a document’s own trouble leaves the others all places', async () => {
  const { claims, ended } = world()
  ended(settledBut({ scope: 'document', type: 'sqlstate_42703', reason: 'r' }))
  expect(await claims()).toEqual(['river', 'river', 'river', 'river'])
})

describe('a document that waits', () => {
  const refused: Obstacle = { scope: 'document', type: 'es_rejected', reason: 'r' }

  test('goes on when a batch of it is settled; not after a trial of one of its indices, for it may wait for another', () => {
    const { dispatcher, ended } = world()
    dispatcher.pause('city', refused)
    ended(settled, { document: 'city', lane: 2, target: 'cities-1' })
    expect(dispatcher.pauses).toHaveLength(1)
    ended(settled)
    expect(dispatcher.pauses).toEqual([])
  })

  test('waits longer and longer where nothing of it is done, and not where its batches move', () => {
    const { dispatcher, ended } = world()
    for (let n = 0; n < 5; n++) ended(settledBut(refused, someDone()))
    expect(dispatcher.pauses).toMatchObject([{ attempt: 3 }])
    for (let n = 0; n < 2; n++) ended(settledBut(refused))
    expect(dispatcher.pauses).toMatchObject([{ attempt: 5 }])
    ended({ outcome: 'given-back', obstacle: refused })
    expect(dispatcher.pauses).toMatchObject([{ attempt: 6 }])
  })

  test('may be tried again at once when its batch came to nothing but marks', async () => {
    const { dispatcher, claims, ended } = world()
    dispatcher.pause('city', refused)
    ended({ outcome: 'expanded', turned: 1, verify: null })
    expect(await claims()).toContain('city')
  })

  test('does not because one of its indices does', async () => {
    const { dispatcher, gone, claims, ended } = world()
    const trial = { document: 'city', lane: 2, target: 'cities-1' } as const
    ended(settledBut({ scope: 'index', type: 'http_429', reason: 'r' }), trial)
    ended({ outcome: 'given-back', obstacle: { scope: 'index', type: 'http_429', reason: 'r' } }, trial)
    expect([dispatcher.pauses, gone, await claims()]).toEqual([[], [], ['city', 'river', 'city', 'river']])
  })
})

test('marks are looked for at once where there may be more, not where they were given back or there were none', () => {
  const { counts, ended } = world()
  ended(unanswered('http_502', true))
  ended({ outcome: 'empty' })
  expect(counts).toEqual({ served: 0, hurried: 0 })
  ended(settled)
  expect(counts).toEqual({ served: 1, hurried: 1 })
  ended({ outcome: 'expanded', turned: 1, verify: null })
  expect(counts).toEqual({ served: 1, hurried: 2 })
})

test('what a batch noticed is said, with its reason', () => {
  const { said, ended } = world()
  ended(settled)
  ended({ outcome: 'expanded', turned: 1, verify: null })
  expect(said).toEqual([])
  ended({ ...settled, tripped: '900 of 1,000' })
  ended({ ...settled, foreign: 'a version of somebody else' })
  ended({ outcome: 'expanded', turned: 0, verify: 'too many' })
  const [warn, error] = [40, 50]
  expect(said).toMatchObject([
    { level: error, document: 'city', reason: '900 of 1,000' },
    { level: error, document: 'city', reason: 'a version of somebody else' },
    { level: warn, document: 'city', reason: 'too many' },
  ])
})
