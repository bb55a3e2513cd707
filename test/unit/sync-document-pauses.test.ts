import type pg from 'pg'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { Dispatcher } from '../../src/sync/dispatcher.ts'
import { DocumentPauses } from '../../src/sync/document-pauses.ts'
import type { Obstacle } from '../../src/sync/types.ts'

/** When a daemon ceases to say that a document waits. */

function world() {
  const clock = { now: 0 }
  const dispatcher = new Dispatcher({ now: () => clock.now, random: () => 1, concurrency: 4, trialMs: 1_000 })
  const counts = { told: 0 }
  const pauses = new DocumentPauses({
    dispatcher,
    // Alarms are stored by one statement.
    pool: { query: async () => ({ rows: [] }) } as unknown as pg.Pool,
    schema: 'sluice',
    log: pino({ level: 'silent' }),
    tellState: () => {
      counts.told += 1
    },
    onError: (error) => {
      throw error
    },
  })
  const look = (...documents: string[]) => {
    dispatcher.found(documents.map((document) => ({ document, lane: 0 })))
    pauses.looked()
  }
  return { clock, dispatcher, counts, pauses, look }
}

const refused: Obstacle = { scope: 'document', type: 'http_429', reason: 'too many requests' }
const unreadable: Obstacle = { scope: 'document', type: 'sqlstate_42501', reason: 'permission denied' }

test('a document whose marks others have done waits no longer, and that is told at once', () => {
  const { clock, dispatcher, counts, pauses, look } = world()
  pauses.begin('city', refused)
  expect(counts.told).toBe(1)
  clock.now = 60_000
  look('city')
  expect(dispatcher.pauses).toHaveLength(1)
  look('river')
  expect(dispatcher.pauses).toEqual([])
  expect(counts.told).toBe(2)
})

test('one that cannot be read waits on: that nobody changes it puts nothing right', () => {
  const { clock, dispatcher, pauses, look } = world()
  pauses.begin('city', unreadable)
  clock.now = 60_000
  look()
  expect(dispatcher.pauses).toMatchObject([{ document: 'city', type: 'sqlstate_42501' }])
  pauses.end('city')
  expect(dispatcher.pauses).toEqual([])
})
