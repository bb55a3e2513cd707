import { describe, expect, test } from 'vitest'
import type { ItemVerdict, Operation } from '../../src/elasticsearch/types.ts'
import type { BatchKey } from '../../src/queue/types.ts'
import type { AddressedKey } from '../../src/sync/addressed.ts'
import { Obstructed } from '../../src/sync/obstacle.ts'
import { answersByIndex, Parking, separate } from '../../src/sync/parking.ts'
import { building, live, memory, parkedFor, target } from './daemon-memory.ts'

const key = (name: string, target: string | null = null, alias = 'd'): AddressedKey => ({
  key: name,
  parts: [name],
  id: name,
  alias,
  routing: null,
  origin: '7',
  target,
  runId: null,
  ageMs: 10,
  op: 'update',
})
const body = Buffer.from('{}')
const operation = (index: string): Operation => ({ kind: 'index', index, id: '1', key: '1', body })
const done: ItemVerdict = { outcome: 'done', result: 'updated' }
const refused: ItemVerdict = { outcome: 'blocked', type: 'closed', reason: 'why' }
const busy: ItemVerdict = { outcome: 'retry', type: 'busy', reason: 'later', charged: false }
const away: ItemVerdict = {
  outcome: 'retry',
  type: 'unavailable_shards_exception',
  reason: 'primary shard is not active',
  charged: false,
}
const dead: ItemVerdict = { outcome: 'dead', type: 'mapping', reason: 'no' }

const waiting = () => {
  const parked: string[] = []
  return { parked, wait: ({ key: name }: BatchKey, index: string) => parked.push(`${name} ${index}`) }
}

describe('which keys are sent and which wait', () => {
  test.each<[string, AddressedKey, string[], string[]]>([
    ['for all indices', key('k'), ['k'], ['building']],
    ['for the open one', key('k', 'live'), ['k'], []],
    ['for the blocked one', key('k', 'building'), [], ['building']],
    ['for one that is no target any more', key('k', 'retired'), ['k'], []],
  ])('a key %s', (_, one, sent, waits) => {
    const result = separate([one], { open: [live], blocked: [building] })
    expect(result.sent.map((k) => k.key)).toEqual(sent)
    expect(result.waiting.map(({ index }) => index)).toEqual(waits)
  })

  test('a key for all waits for each that is blocked', () => {
    const result = separate([key('k')], { open: [live], blocked: [building, target('third')] })
    expect(result.waiting.map(({ index }) => index)).toEqual(['building', 'third'])
  })
})

test('an answer tells which indices refused, and which took all they were sent', () => {
  const operations = ['a', 'a', 'b', 'c', 'd'].map(operation)
  const { refused: no, taken } = answersByIndex(operations, [done, refused, done, busy, dead])
  expect([...no]).toEqual([['a', { type: 'closed', reason: 'why' }]])
  expect([...taken]).toEqual(['b', 'd'])
})

describe('a batch', () => {
  const targets = [live, building]

  test('that meets a blocked index goes on for the others, and the next one parks unsent', () => {
    const { known, told } = memory()
    const batch = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
    batch.judge([operation('live'), operation('building')], [done, refused])
    expect(told).toEqual(['blocked building'])
    const outcomes = waiting()
    const next = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
    expect(next.park([key('k')], outcomes)).toEqual({ slice: [key('k')], open: [live] })
    expect(outcomes.parked).toEqual(['k building'])
    expect(known.all).toMatchObject([{ document: 'd', index: 'building', type: 'closed', reason: 'why' }])
  })

  test('sends to what it has not parked, also when another batch finds an index blocked meanwhile', () => {
    const { known } = memory()
    const batch = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
    const outcomes = waiting()
    const { slice, open } = batch.park([key('k')], outcomes)
    known.refused('d', building, { type: 'closed', reason: 'why' })
    expect([slice, open, outcomes.parked]).toEqual([[key('k')], targets, []])
  })

  test('of which no index takes anything is given back, and nothing is remembered', () => {
    const { known } = memory()
    const batch = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
    const judge = () => batch.judge([operation('live'), operation('building')], [refused, refused])
    expect(judge).toThrow(Obstructed)
    expect(judge).toThrow(
      expect.objectContaining({ obstacle: { scope: 'document', type: 'closed', reason: 'why' } }),
    )
    expect(known.all).toEqual([])
  })

  test('of which the other index is blocked already is given back', () => {
    const { known } = memory()
    known.refused('d', building, { type: 'closed', reason: 'why' })
    const batch = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
    expect(() => batch.judge([operation('live')], [refused])).toThrow(Obstructed)
    expect(known.all.map(({ index }) => index)).toEqual(['building'])
  })

  test('whose indices are all held for blocked tries them all', () => {
    const { known, told } = memory()
    for (const each of targets) known.refused('d', each, { type: 'closed', reason: 'why' })
    const batch = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
    expect(batch.park([key('k')], waiting()).open).toEqual(targets)
    batch.judge([operation('live'), operation('building')], [done, refused])
    expect(told).toContain('free live')
    expect(batch.open).toEqual([live])
  })

  describe('that meets an index without a shard', () => {
    const blocked = { outcome: 'blocked', type: 'unavailable_shards_exception' }

    test('goes on for the others, and the next one parks unsent', () => {
      const { known, told } = memory()
      const batch = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
      expect(batch.judge([operation('live'), operation('building')], [done, away])).toMatchObject([
        done,
        blocked,
      ])
      expect(told).toEqual(['blocked building'])
    })

    test('leaves the verdicts as they are where no other index goes on', () => {
      const { known } = memory()
      const alone = new Parking(known, 'd', { targets: [live], tenants: false, trial: undefined })
      expect(alone.judge([operation('live'), operation('live')], [done, away])).toEqual([done, away])
      const both = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
      expect(both.judge([operation('live'), operation('building')], [away, away])).toEqual([away, away])
      known.refused('d', building, { type: 'closed', reason: 'why' })
      const rest = new Parking(known, 'd', { targets, tenants: false, trial: undefined })
      expect(rest.judge([operation('live')], [away])).toEqual([away])
      expect(known.all.map(({ index }) => index)).toEqual(['building'])
    })

    test('is given back as the index’s obstacle where it is a trial', () => {
      const { known } = memory()
      known.refused('d', building, { type: 'unavailable_shards_exception', reason: 'why' })
      const trial = new Parking(known, 'd', { targets, tenants: false, trial: 'building' })
      const judge = () => trial.judge([operation('building')], [away])
      expect(judge).toThrow(
        expect.objectContaining({ obstacle: expect.objectContaining({ scope: 'index' }) }),
      )
    })
  })

  test('that is a trial and is refused is given back as the index’s obstacle', () => {
    const { known } = memory()
    known.refused('d', building, { type: 'closed', reason: 'why' })
    const trial = new Parking(known, 'd', { targets, tenants: false, trial: 'building' })
    expect(trial.park([key('k', 'building')], waiting()).slice).toEqual([key('k', 'building')])
    const judge = () => trial.judge([operation('building')], [refused])
    expect(judge).toThrow(expect.objectContaining({ obstacle: expect.objectContaining({ scope: 'index' }) }))
  })

  test('that is a trial proves nothing where the server was only busy', () => {
    const { known } = memory()
    known.refused('d', building, { type: 'closed', reason: 'why' })
    const trial = new Parking(known, 'd', { targets, tenants: false, trial: 'building' })
    trial.judge([operation('building')], [busy])
    expect(known.holds(building)).toBe(true)
    trial.judge([operation('building')], [dead])
    expect(known.holds(building)).toBe(false)
  })
})

describe('where each tenant has an index', () => {
  const [a, b] = [target('a-1', null, 'a'), target('b-1', null, 'b')]

  test('a key waits for its own tenant’s alone', () => {
    const { known } = memory()
    known.refused('d', b, { type: 'closed', reason: 'why' })
    const outcomes = waiting()
    const batch = new Parking(known, 'd', { targets: [a, b], tenants: true, trial: undefined })
    const { slice, open } = batch.park([key('1', null, 'a'), key('2', null, 'b')], outcomes)
    expect([slice.map(({ key: name }) => name), open, outcomes.parked]).toEqual([['1'], [a], ['2 b-1']])
  })

  test('one that refuses is blocked although no other took anything, and is not tried with the next batch', () => {
    const { known } = memory()
    const batch = new Parking(known, 'd', { targets: [a], tenants: true, trial: undefined })
    expect(batch.judge([operation('a-1')], [refused])).toEqual([refused])
    const next = new Parking(known, 'd', { targets: [a], tenants: true, trial: undefined })
    expect(next.open).toEqual([])
  })

  test('one that was made meanwhile is written to, once', () => {
    const { known } = memory()
    const batch = new Parking(known, 'd', { targets: [a], tenants: true, trial: undefined })
    batch.add([a, b])
    batch.add([b])
    expect([batch.targets, batch.open]).toEqual([
      [a, b],
      [a, b],
    ])
  })
})

test('a key for two open indices and a blocked one is sent, though one of them is another tenant’s', () => {
  const other = target('other', null, 'e')
  const { sent } = separate([key('k')], { open: [other, live], blocked: [building] })
  expect(sent.map((k) => k.key)).toEqual(['k'])
})

test('an index that was never blocked is not released because it took what another one refused', () => {
  const { known } = memory()
  const batch = new Parking(known, 'd', { targets: [live, building], tenants: false, trial: undefined })
  batch.judge([operation('live'), operation('building')], [done, refused])
  expect(known.next(parkedFor('live'))).toBe('try')
})
