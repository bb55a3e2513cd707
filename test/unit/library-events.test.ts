import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import type { Admin, Alerts, BatchEvent, LogEvent, Sluice, SluiceConfig } from '../../src/index.ts'
import { Events } from '../../src/library/events.ts'
import { Tally } from '../../src/sync/tally.ts'
import type { Obstacle } from '../../src/sync/types.ts'

/** All that was told of by now: listeners are called in microtasks of their own. */
async function heard(events: Events, tell: () => void): Promise<readonly BatchEvent[]> {
  const batches: BatchEvent[] = []
  const off = events.on('batch', (event) => batches.push(event))
  tell()
  await Promise.resolve()
  off()
  return batches
}

const busy: Obstacle = { scope: 'elasticsearch', type: 'es_rejected', reason: 'Elasticsearch is too busy' }

function settled(tally: Tally, { givenBack = 0, obstacle = null as Obstacle | null } = {}) {
  return {
    outcome: 'settled',
    tally,
    givenBack,
    obstacle,
    tripped: null,
    foreign: null,
    full: false,
  } as const
}

/** So many operations of each outcome. */
function tallyOf(counts: Partial<Record<'done' | 'superseded' | 'retry' | 'dead' | 'blocked', number>>) {
  const tally = new Tally()
  for (const [outcome, count] of Object.entries(counts)) {
    for (let n = 0; n < count; n += 1) {
      // Of two indices, whose counts are added up.
      const index = n % 2 === 0 ? 'city_1' : 'city_2'
      tally.add({ index, operation: 'index', outcome: outcome as keyof typeof counts }, 1, 1, 1)
    }
  }
  return tally
}

describe('a batch', () => {
  test('settled: what Elasticsearch answered well, what failed, what was given back, and why', async () => {
    const events = new Events()
    const tally = tallyOf({ done: 3, superseded: 2, retry: 4, dead: 3, blocked: 9 })
    const told = await heard(events, () => {
      events.batch({ document: 'city', lane: 1 }, settled(tally, { givenBack: 6, obstacle: busy }))
    })
    expect(told).toEqual([
      {
        document: 'city',
        lane: 1,
        outcome: 'settled',
        done: 5,
        failed: 7,
        givenBack: 6,
        reason: 'Elasticsearch is too busy',
      },
    ])
  })

  test('settled, and nothing to say: no reason', async () => {
    const events = new Events()
    const told = await heard(events, () => {
      events.batch({ document: 'city', lane: 0 }, settled(tallyOf({ done: 1 })))
    })
    expect(told).toEqual([
      { document: 'city', lane: 0, outcome: 'settled', done: 1, failed: 0, givenBack: 0, reason: null },
    ])
  })

  test('expanded: with the reason where a verify was requested instead', async () => {
    const events = new Events()
    const told = await heard(events, () => {
      events.batch({ document: 'city', lane: 0 }, { outcome: 'expanded', turned: 2, verify: null })
      events.batch({ document: 'city', lane: 0 }, { outcome: 'expanded', turned: 1, verify: 'too many' })
    })
    const expanded = { document: 'city', lane: 0, outcome: 'expanded', done: 0, failed: 0, givenBack: 0 }
    expect(told).toEqual([
      { ...expanded, reason: null },
      { ...expanded, reason: 'too many' },
    ])
  })

  test('given back: with the reason; of a trial, in the lane of what is parked', async () => {
    const events = new Events()
    const told = await heard(events, () => {
      const trial = { document: 'city', lane: 2, target: 'city_1' } as const
      events.batch(trial, { outcome: 'given-back', obstacle: busy })
    })
    expect(told).toEqual([
      {
        document: 'city',
        lane: 2,
        outcome: 'given-back',
        done: 0,
        failed: 0,
        givenBack: 0,
        reason: 'Elasticsearch is too busy',
      },
    ])
  })

  test('that found nothing is not told of', async () => {
    const events = new Events()
    expect(
      await heard(events, () => events.batch({ document: 'city', lane: 0 }, { outcome: 'empty' })),
    ).toEqual([])
  })
})

describe('a listener that throws', () => {
  test("is no batch's failure, and keeps the event from nobody: the process is told of it", async () => {
    const events = new Events()
    const uncaught: unknown[] = []
    // Vitest would call it a failure of this file; here it is what is expected.
    const others = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[]
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => uncaught.push(error))
    try {
      const seen: string[] = []
      events.on('batch', () => {
        throw new Error('of the application')
      })
      events.on('batch', ({ document }) => seen.push(document))
      const tell = (document: string) => events.batch({ document, lane: 0 }, settled(tallyOf({ done: 1 })))
      // Where it is told, nothing is thrown: there the batch would end.
      expect(() => tell('city')).not.toThrow()
      await vi.waitFor(() => expect(uncaught).toHaveLength(1), { timeout: 30_000 })
      expect(() => tell('river')).not.toThrow()
      await vi.waitFor(() => expect(uncaught).toHaveLength(2), { timeout: 30_000 })
      expect(seen).toEqual(['city', 'river'])
      expect(uncaught).toEqual([new Error('of the application'), new Error('of the application')])
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of others) process.on('uncaughtException', listener)
    }
  })

  test('is not called before the one that tells has gone on', async () => {
    const events = new Events()
    const order: string[] = []
    events.on('state', ({ state }) => order.push(state))
    events.state({ state: 'running', reason: null })
    order.push('told')
    await Promise.resolve()
    expect(order).toEqual(['told', 'running'])
  })
})

test('a state is told once, however often it is said, and again with another reason', async () => {
  const events = new Events()
  const told: unknown[] = []
  events.on('state', (event) => told.push(event))
  for (const reason of ['Postgres', 'Postgres', 'Elasticsearch']) events.state({ state: 'waiting', reason })
  await Promise.resolve()
  expect(told).toEqual([
    { state: 'waiting', reason: 'Postgres' },
    { state: 'waiting', reason: 'Elasticsearch' },
  ])
})

// What tsc says of an application's listeners: each @ts-expect-error is an error by itself where nothing is wrong.
describe('types', () => {
  const sluice = { on: () => () => {} } as Pick<Sluice, 'on'>

  test('of the events, by their names', () => {
    sluice.on('batch', (event) => {
      expectTypeOf(event).toEqualTypeOf<BatchEvent>()
      // @ts-expect-error no field of a batch
      event.indexed
    })
    sluice.on('state', (event) => {
      expectTypeOf(event.state).toEqualTypeOf<'running' | 'waiting' | 'draining' | 'stopped'>()
      expectTypeOf(event.reason).toEqualTypeOf<string | null>()
      // @ts-expect-error a daemon's duration is not told
      event.forMs
    })
    sluice.on('log', (event) => {
      expectTypeOf(event).toEqualTypeOf<LogEvent>()
      expectTypeOf(event.document).toEqualTypeOf<unknown>()
    })
    expectTypeOf(sluice.on('batch', () => {})).toEqualTypeOf<() => void>()
    // @ts-expect-error no event
    sluice.on('batches', () => {})
    // @ts-expect-error a listener of another event
    sluice.on('state', (event: BatchEvent) => event.done)
  })

  test('of a batch', () => {
    expectTypeOf<BatchEvent['outcome']>().toEqualTypeOf<'settled' | 'expanded' | 'given-back'>()
    expectTypeOf<BatchEvent['lane']>().toEqualTypeOf<0 | 1 | 2>()
    expectTypeOf<BatchEvent['failed']>().toEqualTypeOf<number>()
    expectTypeOf<BatchEvent['givenBack']>().toEqualTypeOf<number>()
    expectTypeOf<BatchEvent['reason']>().toEqualTypeOf<string | null>()
  })

  test('of the parts of a configuration are exported', () => {
    expectTypeOf<Admin>().toEqualTypeOf<NonNullable<SluiceConfig['admin']>>()
    expectTypeOf<Alerts>().toEqualTypeOf<NonNullable<SluiceConfig['alerts']>>()
    // @ts-expect-error a port is no text, but for "off"
    const port: Admin['port'] = '9187'
    expect(port).toBe('9187')
  })
})
