import { beforeAll, expect, test } from 'vitest'
import { simulationMutants } from '../simulation/mutants.ts'
import { loadPipeline, type Pipeline } from '../simulation/pipeline.ts'
import { runSeed, UNBROKEN } from '../simulation/run.ts'
import { eventKinds } from '../simulation/scenario.ts'

// The short form of `npm run simulate`; the long one, and the mutants, are test/full/simulation.test.ts.

let pipeline: Pipeline
beforeAll(async () => {
  pipeline = await loadPipeline()
})

/** What has to have happened, beside the events, or a part of the simulation is there for show. */
const happenings = [
  'a batch settled',
  'a batch expanded',
  'a second index',
  'an item that is refused',
  'an operation that is superseded',
  'a request that is too large',
  'a request: lost',
  'a request: late',
  'a request: answer-lost',
  'given back: postgres unreachable',
  'given back: postgres server_changed',
  'given back: elasticsearch timeout',
  'given back: document cluster_block_exception',
]

/** The first 150, and the first in which a batch is expanded: one in three hundred does. */
const seeds = [...Array.from({ length: 150 }, (_, n) => n + 1), 412]

test('the first seeds of changes and faults end with indices that are what the rows are', async () => {
  const seen = new Set<string>()
  for (const seed of seeds) {
    const result = await runSeed(pipeline, seed)
    expect({ seed, wrong: result.wrong }).toEqual({ seed, wrong: [] })
    for (const what of result.seen.keys()) seen.add(what)
  }
  expect([...eventKinds, ...happenings].filter((what) => !seen.has(what))).toEqual([])
})

test('a seed is the same run again, step by step', async () => {
  const traceOf = async (seed: number) => {
    const lines: string[] = []
    await runSeed(pipeline, seed, { trace: (line) => lines.push(line) })
    return lines
  }
  const [once, again, other] = [await traceOf(11), await traceOf(11), await traceOf(12)]
  expect(once.length).toBeGreaterThan(100)
  expect(again).toEqual(once)
  expect(other).not.toEqual(once)
})

test('a success that erases newer failures is noticed', async () => {
  const { below } = simulationMutants['success-erases-newer-failure']
  const { wrong } = await runSeed(pipeline, 926, { broken: { ...UNBROKEN, ...below } })
  expect(wrong).toContain('articles-2/2 cannot be indexed, and no failure says so')
})
