import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ahead } from '../../src/runs/ahead.ts'
import { assertContentComparable } from '../../src/runs/compare-able.ts'
import { assertOurs, RunInterrupted } from '../../src/runs/interrupted.ts'

type Comparable = Parameters<typeof assertContentComparable>

describe('contents can be compared', () => {
  const asked: string[] = []
  const check = (
    mappings: object,
    settings: object = {},
    pipeline: string | null = null,
    indices = ['i'],
  ) => {
    const elasticsearch = {
      getMappings: async (index: string) => {
        asked.push(index)
        return mappings
      },
      getSettings: async () => settings,
    }
    return assertContentComparable(
      elasticsearch as unknown as Comparable[0],
      { document: 'city', pipeline } as Comparable[1],
      indices.map((index) => ({ index, alias: 'a', uuid: 'u', role: 'live' })),
    )
  }

  test.each<[string, object, object]>([
    ['nothing is said of _source', {}, {}],
    ['_source is as ever', { _source: {} }, { 'index.mapping.source.mode': 'stored' }],
    ['it is switched on', { _source: { enabled: true, mode: 'stored' } }, { 'index.mode': 'standard' }],
    ['it is null', { _source: null }, {}],
    ['no pipeline is named', {}, { 'index.default_pipeline': '_none', 'index.final_pipeline': '_none' }],
  ])('where %s', async (_, mappings, settings) => {
    await expect(check(mappings, settings)).resolves.toBeUndefined()
  })

  test.each<[string, object, object]>([
    ['i: contents cannot be compared: its mapping switches _source off', { _source: { enabled: false } }, {}],
    ['its mapping switches _source off', { _source: { enabled: 'false' } }, {}],
    ['its mapping switches _source off', { _source: { mode: 'disabled' } }, {}],
    ['its _source is synthetic: made from the index', { _source: { mode: 'synthetic' } }, {}],
    ['its mapping leaves fields out of _source', { _source: { includes: ['a'] } }, {}],
    ['its mapping leaves fields out of _source', { _source: { excludes: ['a'] } }, {}],
    ['its _source is synthetic', {}, { 'index.mapping.source.mode': 'synthetic' }],
    ['its _source is disabled', {}, { 'index.mapping.source.mode': 'disabled' }],
    ['an index of mode logsdb does not keep what was sent', {}, { 'index.mode': 'logsdb' }],
    ['an index of mode time_series does not keep what was sent', {}, { 'index.mode': 'time_series' }],
    ['index.default_pipeline ("p") changes its documents', {}, { 'index.default_pipeline': 'p' }],
    ['index.final_pipeline ("p") changes its documents', {}, { 'index.final_pipeline': 'p' }],
  ])('not: %s', async (problem, mappings, settings) => {
    await expect(check(mappings, settings)).rejects.toMatchObject({
      message: expect.stringContaining(problem),
      remedy: 'Verify without --deep.',
    })
  })

  test('not where a pipeline of the document changes them, whatever its indices say', async () => {
    asked.length = 0
    await expect(check({}, {}, 'enrich')).rejects.toThrow(
      'city: contents cannot be compared: the ingest pipeline "enrich" changes its documents on their way',
    )
    expect(asked).toEqual([])
  })

  test('by what ten of a thousand tenants’ indices say', async () => {
    asked.length = 0
    await check(
      {},
      {},
      null,
      Array.from({ length: 1000 }, (_, n) => `${n}`),
    )
    expect(asked).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  })
})

describe('a run is ours', () => {
  const standing = { state: 'running', worker: 'a', pendingMarks: 0, pendingKeys: 0, parkedKeys: 0 } as const
  const check = (now: Parameters<typeof assertOurs>[1]) => () => assertOurs({ worker: 'a' }, now)

  test('while it is running in our hands', () => {
    expect(check(standing)).not.toThrow()
  })

  test.each([
    ['lost', null],
    ['lost', { ...standing, worker: 'b' }],
    ['lost', { ...standing, worker: 'b', state: 'cancelling' }],
    ['cancelled', { ...standing, state: 'cancelling' }],
    ['lost', { ...standing, state: 'failed' }],
    ['lost', { ...standing, state: 'requested' }],
  ] as const)('not (%s): %j', (interruption, now) => {
    expect(check(now)).toThrow(
      expect.objectContaining({
        interruption,
        name: 'RunInterrupted',
        message: `the run is interrupted: ${interruption}`,
      }),
    )
    expect(check(now)).toThrow(RunInterrupted)
  })
})

describe('pages fetched ahead', () => {
  const log: string[] = []
  async function* pages(count: number, failing = -1) {
    try {
      for (let n = 0; n < count; n++) {
        if (n === failing) throw new Error('no page')
        log.push(`fetched ${n}`)
        yield n
      }
    } finally {
      log.push('closed')
    }
  }
  const read = async (from: AsyncGenerator<number, void, void>, most = Number.POSITIVE_INFINITY) => {
    log.length = 0
    for await (const page of ahead(from)) {
      log.push(`read ${page}`)
      if (page + 1 >= most) break
    }
    return [...log]
  }

  test('come in order, each fetched while the one before is worked on', async () => {
    expect(await read(pages(3))).toEqual([
      ...['fetched 0', 'fetched 1', 'read 0', 'fetched 2', 'read 1', 'closed', 'read 2'],
    ])
    expect(await read(pages(0))).toEqual(['closed'])
  })

  test('are given up with their reader', async () => {
    expect(await read(pages(9), 1)).toEqual(['fetched 0', 'fetched 1', 'read 0', 'closed'])
  })

  test('fail when the page is asked for that could not be fetched, or not at all', async () => {
    const seen: number[] = []
    const all = async () => {
      for await (const page of ahead(pages(3, 1))) seen.push(page)
    }
    await expect(all()).rejects.toThrow('no page')
    expect(seen).toEqual([0])
    expect(await read(pages(3, 1), 1)).toEqual(['fetched 0', 'closed', 'read 0'])
  })

  test('that cannot be fetched end nothing while the page before is still worked on', async () => {
    const unhandled: unknown[] = []
    const told = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', told)
    onTestFinished(() => void process.off('unhandledRejection', told))
    const all = async () => {
      for await (const _ of ahead(pages(3, 1))) await turn()
    }
    await expect(all()).rejects.toThrow('no page')
    expect(unhandled).toEqual([])
  })
})
