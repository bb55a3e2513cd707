import { describe, expect, test } from 'vitest'
import type { ItemVerdict, Operation } from '../../src/elasticsearch/types.ts'
import type { BatchKey, Mark } from '../../src/queue/types.ts'
import { Outcomes } from '../../src/sync/outcomes.ts'

const key = (name: string, runId: string | null = null): BatchKey => ({
  key: name,
  origin: '7',
  target: null,
  runId,
  ageMs: 10,
  op: 'update',
})
const operation = (name: string): Operation => ({
  kind: 'index',
  index: 'i',
  id: name,
  key: name,
  body: Buffer.from('{"a":1}'),
})
const mark = (runId: string, ...keys: string[]): Mark => ({
  id: '1',
  source: '',
  keys,
  op: 'backfill',
  origin: '7',
  target: null,
  runId,
  ageMs: 10,
})

const AT_ONCE = { elapsedMs: 0, tookMs: 0 }

function judged(verdict: ItemVerdict, runId: string | null = null): Outcomes {
  const outcomes = new Outcomes([key('k', runId)])
  outcomes.answered([operation('k')], [verdict], { elapsedMs: 5, tookMs: 3 })
  return outcomes
}

describe('what becomes of a key', () => {
  test('done: erases its failures', () => {
    expect([...judged({ outcome: 'done', result: 'created' }).succeeded]).toEqual([['i', ['k']]])
  })

  test('superseded: as good as done, to be examined', () => {
    const outcomes = judged({ outcome: 'superseded', stored: 9n })
    expect([...outcomes.succeeded]).toEqual([['i', ['k']]])
    expect(outcomes.superseded).toMatchObject([{ stored: 9n }])
  })

  test('superseded by nobody knows what: tried again, for it might be an identity fault', () => {
    const outcomes = judged({ outcome: 'superseded', stored: null })
    expect(outcomes.succeeded.size).toBe(0)
    expect(outcomes.failures).toMatchObject([
      {
        ...{ key: 'k', target: 'i', origin: '7', dead: false, type: 'version_conflict' },
        reason: 'the answer does not say which version is stored',
      },
    ])
  })

  test('put off by a busy server: marked again, nobody is charged, the document waits', () => {
    const outcomes = judged({ outcome: 'retry', type: 'busy', reason: 'later', charged: false })
    expect(outcomes.failures).toEqual([])
    expect(outcomes.givenBack).toMatchObject([{ key: 'k' }])
    expect(outcomes.obstacle).toEqual({ scope: 'document', type: 'busy', reason: 'later' })
  })

  test('put off for several reasons: that the server is too busy is the one that counts', () => {
    const outcomes = new Outcomes([key('a'), key('b')])
    const types = ['rejected_execution_exception', 'other']
    const verdicts = types.map((type) => ({ outcome: 'retry', type, reason: 'r', charged: false }) as const)
    outcomes.answered([operation('a'), operation('b')], verdicts, { elapsedMs: 5, tookMs: 3 })
    expect(outcomes.obstacle).toMatchObject({ type: 'rejected_execution_exception' })
  })

  test.each([
    ['retry', false],
    ['dead', true],
  ] as const)('%s: a failure', (outcome, dead) => {
    const verdict = { outcome, type: 't', reason: 'r', charged: true } as ItemVerdict
    expect(judged(verdict).failures).toMatchObject([
      { key: 'k', id: 'k', target: 'i', type: 't', reason: 'r', dead },
    ])
  })

  test('unreadable: dead, for no index in particular', () => {
    const outcomes = new Outcomes([key('k')])
    outcomes.impossible([{ key: 'k', id: 'k', type: 't', reason: 'r' }])
    expect(outcomes.failures).toMatchObject([{ key: 'k', target: '', dead: true }])
  })
})

describe('what a run is told', () => {
  test('counts operations, and keys as often as they were marked', () => {
    const outcomes = new Outcomes([key('a', '1'), key('b', '1'), key('c', '1')])
    outcomes.answered(
      [operation('a'), operation('b')],
      [
        { outcome: 'done', result: 'created' },
        { outcome: 'dead', type: 't', reason: 'r' },
      ],
      AT_ONCE,
    )
    outcomes.giveBack([key('c', '1')])
    expect(outcomes.runCounts([mark('1', 'a', 'b', 'c'), mark('1', 'a')])).toEqual([
      { runId: '1', processed: 3, created: 1, updated: 0, deleted: 0, failed: 1 },
    ])
  })
})

test('bytes are counted as they are sent', () => {
  const outcomes = new Outcomes([key('a')])
  const sent = { ...operation('a'), body: Buffer.from('"é"') }
  outcomes.answered([sent], [{ outcome: 'done', result: 'created' }], AT_ONCE)
  expect(outcomes.tally.entries).toMatchObject([{ bytes: 4 }])
})

test('a delete has no body to count, and an operation without a verdict is not settled', () => {
  const outcomes = new Outcomes([key('a'), key('b')])
  const deleted = { kind: 'delete', index: 'i', id: 'a', key: 'a' } as const
  outcomes.answered([deleted, operation('b')], [{ outcome: 'done', result: 'deleted' }], AT_ONCE)
  expect(outcomes.tally.entries).toMatchObject([{ operation: 'delete', count: 1, bytes: 0 }])
  expect([...outcomes.succeeded]).toEqual([['i', ['a']]])
})

test('a delete that nobody marked is not held back', () => {
  const outcomes = new Outcomes([])
  outcomes.park([{ kind: 'delete', index: 'i', id: 'k', key: 'k' }])
  expect(outcomes.parked).toEqual([])
})

test('the log adds up operations, bytes and lag', () => {
  const outcomes = new Outcomes([key('a'), key('b')])
  outcomes.answered(
    [operation('a'), operation('b')],
    [
      { outcome: 'done', result: 'created' },
      { outcome: 'done', result: 'updated' },
    ],
    { elapsedMs: 5, tookMs: 3 },
  )
  expect(outcomes.tally.entries).toEqual([
    { index: 'i', operation: 'index', outcome: 'done', count: 2, bytes: 14, lagSumMs: 30, tookMs: 3 },
  ])
})

describe('a key that got no answer even alone', () => {
  const silent = { scope: 'elasticsearch', type: 'timeout', reason: 'no answer' } as const

  test('is charged where the server answers others, and its document waits', () => {
    const outcomes = new Outcomes([key('k', '3')])
    outcomes.unanswered([operation('k'), operation('stranger')], silent, 'charge')
    expect(outcomes.failures).toEqual([
      {
        key: 'k',
        id: 'k',
        target: 'i',
        origin: '7',
        op: 'update',
        type: 'timeout',
        reason: 'no answer',
        dead: false,
      },
    ])
    expect([outcomes.givenBack, outcomes.obstacle]).toEqual([[], silent])
    expect(outcomes.runCounts([mark('3', 'k')])).toMatchObject([{ processed: 1, failed: 1 }])
  })

  test('is marked again, uncharged, where it may be the server', () => {
    const outcomes = new Outcomes([key('k', '3')])
    outcomes.unanswered([operation('k')], silent, 'mark-again')
    expect([outcomes.failures, outcomes.givenBack, outcomes.obstacle]).toEqual([[], [key('k', '3')], silent])
    expect(outcomes.runCounts([mark('3', 'k')])).toMatchObject([{ processed: 0, failed: 0 }])
  })
})

describe('a document that cannot be made', () => {
  const failure = { key: 'k', id: '1', type: 't', reason: 'r' }
  const stranger = { ...failure, key: 'stranger' }

  test.each([
    ['impossible', true, 'dead'],
    ['failed', false, 'retry'],
  ] as const)('%s: a failure of its run, in no index', (how, dead, outcome) => {
    const outcomes = new Outcomes([key('k', '3')])
    outcomes[how]([stranger, failure])
    expect(outcomes.failures).toEqual([{ ...failure, target: '', origin: '7', op: 'update', dead }])
    expect(outcomes.tally.entries).toEqual([
      { index: '', operation: 'none', outcome, count: 1, bytes: 0, lagSumMs: 10, tookMs: 0 },
    ])
    expect(outcomes.runCounts([mark('3', 'k')])).toMatchObject([{ processed: 1, failed: 1 }])
    expect([...outcomes.failedStates.values()]).toEqual(dead ? [{ problem: 'r' }] : [])
  })

  test('is tried again where its row is no longer what failed; others stay dead', () => {
    const keys = [key('k'), key('other')]
    const outcomes = new Outcomes(keys)
    outcomes.impossible([failure, { ...failure, key: 'other' }])
    outcomes.outdated([key('k'), key('stranger')])
    expect(outcomes.failures.map(({ key: name, dead }) => [name, dead])).toEqual([
      ['k', false],
      ['other', true],
    ])
  })

  test('is compared by the body that was refused', () => {
    expect([...judged({ outcome: 'dead', type: 't', reason: 'r' }).failedStates.values()]).toEqual([
      { body: Buffer.from('{"a":1}') },
    ])
  })
})

test('a key that needs no operation is over: its failures are erased, wherever they were', () => {
  const outcomes = new Outcomes([key('a'), key('b')])
  outcomes.gone(['a', 'b'])
  expect([...outcomes.succeeded]).toEqual([['', ['a', 'b']]])
  expect(outcomes.tally.empty).toBe(true)
})

test('a key beside the marks’ takes its verdicts, and does not replace a marked one', () => {
  const outcomes = new Outcomes([key('a', '1')])
  outcomes.add([{ ...key('a'), origin: '9' }, key('b')])
  const busy = { outcome: 'retry', type: 'busy', reason: 'later', charged: false } as const
  outcomes.answered([operation('a'), operation('b'), operation('c')], [busy, busy, busy], AT_ONCE)
  expect(outcomes.givenBack).toEqual([key('a', '1'), key('b')])
})

test.each([
  ['created', { created: 1 }],
  ['updated', { updated: 1 }],
  ['deleted', { deleted: 1 }],
  ['absent', {}],
  ['noop', {}],
] as const)('a run is told of what was %s', (result, counts) => {
  const none = { created: 0, updated: 0, deleted: 0, failed: 0 }
  expect(judged({ outcome: 'done', result }, '3').runCounts([mark('3', 'k')])).toEqual([
    { runId: '3', processed: 1, ...none, ...counts },
  ])
})

test('runs are told apart; what no run asked for, and marks for everything, count for none', () => {
  const outcomes = new Outcomes([key('a', '1'), key('b', '2'), key('c')])
  const everything = { ...mark('1'), keys: null }
  const done = { outcome: 'done', result: 'created' } as const
  outcomes.answered(['a', 'b', 'c'].map(operation), [done, done, done], AT_ONCE)
  const marks = [mark('1', 'a'), everything, mark('2', 'b'), { ...mark('1', 'c'), runId: null }]
  expect(outcomes.runCounts(marks)).toMatchObject([
    { runId: '1', processed: 1, created: 1 },
    { runId: '2', processed: 1, created: 1 },
  ])
})

describe('a key whose index is blocked', () => {
  const refused: ItemVerdict = { outcome: 'blocked', type: 'closed', reason: 'why' }

  test('waits for that index, uncharged, and its run waits with it', () => {
    const outcomes = judged(refused, '3')
    expect(outcomes.parked).toEqual([{ ...key('k', '3'), target: 'i' }])
    expect([outcomes.failures, outcomes.givenBack, outcomes.obstacle]).toEqual([[], [], null])
    expect(outcomes.runCounts([mark('3', 'k')])).toMatchObject([{ runId: '3', processed: 0 }])
  })

  test('waits for each index that is blocked', () => {
    const outcomes = new Outcomes([key('k')])
    outcomes.wait(key('k'), 'i')
    outcomes.wait(key('k'), 'j')
    expect(outcomes.parked.map(({ target }) => target)).toEqual(['i', 'j'])
    expect(outcomes.tally.entries).toMatchObject([
      { index: 'i', operation: 'none', outcome: 'blocked', count: 1 },
      { index: 'j', operation: 'none', outcome: 'blocked', count: 1 },
    ])
  })

  test('does not wait where it is given back: its mark is for that index, too', () => {
    const outcomes = judged(refused)
    outcomes.giveBack([key('k')])
    expect(outcomes.parked).toEqual([])
  })

  test('has no lag: there is no answer yet', () => {
    expect(judged(refused).tally.lagCounts.every((count) => count === 0)).toBe(true)
  })
})

describe('a delete that the brake holds back', () => {
  test('is marked without its run and its index, and its run has done with it', () => {
    const outcomes = new Outcomes([{ ...key('k', '3'), target: 'i', op: 'orphan' }])
    outcomes.park([{ kind: 'delete', index: 'i', id: 'k', key: 'k' }])
    expect(outcomes.parked).toEqual([{ ...key('k'), op: 'orphan' }])
    expect(outcomes.runCounts([mark('3', 'k')])).toMatchObject([{ runId: '3', processed: 1, deleted: 0 }])
    expect(outcomes.tally.entries).toMatchObject([
      { index: 'i', operation: 'delete', outcome: 'blocked', count: 1 },
    ])
  })

  test.each(['deleted', 'absent'] as const)('%s: only what was there counts', (result) => {
    expect([...judged({ outcome: 'done', result }).deleted]).toEqual(result === 'deleted' ? ['k'] : [])
  })
})
