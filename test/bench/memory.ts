import { type Cell, usual } from './cell.ts'
import { memory } from './process-figures.ts'
import { emptied, writeMarks } from './queue.ts'
import { article, articleTable, fillTable } from './rows.ts'
import type { World } from './world.ts'

/** Rows whose documents have a megabyte each. */
const LARGE = 1_000
const large = { ...article, table: 'large', index: 'bench-large' }

/** The most resident memory a daemon ever took, from its start to the empty queue: /proc/<pid>/status, VmHWM. */
export const memoryCell: Cell = {
  name: 'memory',
  about: 'Peak resident memory of a daemon that drains 10,000 keys, --rows keys, and 1,000 rows of 1 MB.',
  defaults: { ...usual, rounds: 3, rows: 5_000_000 },
  figures: {
    '10,000 keys': { of: 'value', atMost: 160 },
    'all keys': { of: 'value', atMost: 160 },
    '1,000 rows of 1 MB': { of: 'value', atMost: 400 },
  },
  world: { documents: { article, large } },
  async *measure(world, { rounds, rows }, note) {
    await world.pool.query(`${articleTable('article')}; ${articleTable('large')}`)
    note(`writing ${rows} rows of 800 bytes and ${LARGE} of 1 MB`)
    await fillTable(world.postgresUrl, { count: rows })
    await fillTable(world.postgresUrl, { count: LARGE, table: 'large', bytes: 1_000_000 })
    await world.sluice('install', '--no-backfill')
    const cases = [
      ['10,000 keys', 'article', Math.min(10_000, rows)],
      ['all keys', 'article', rows],
      ['1,000 rows of 1 MB', 'large', LARGE],
    ] as const
    for (let round = 1; round <= rounds; round++) {
      for (const [name, document, count] of cases) {
        const { peak, now, seconds } = await drainOnce(world, document, count)
        const details = { keys: count, at_the_end: Math.round(now), seconds: Math.round(seconds) }
        yield { round, case: name, value: peak, unit: 'MB', details }
      }
    }
  },
}

async function drainOnce(world: World, document: string, count: number) {
  await writeMarks(world, { document, lane: 1, count, keysPerMark: 500 })
  const daemon = await world.startDaemon()
  const began = performance.now()
  const ended = await emptied(world, 100)
  const figures = memory(daemon.pid)
  await daemon.stop()
  return { ...figures, seconds: (ended - began) / 1000 }
}
