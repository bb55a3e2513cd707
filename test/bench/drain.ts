import { type Cell, usual } from './cell.ts'
import { assertIndexed, emptied, firstClaim, writeMarks } from './queue.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { costMeter, measureCeiling, type World, warmUp } from './world.ts'

const kinds = [
  ['array marks', 500],
  ['single-key marks', 1],
] as const

/** Marks that wait when a daemon starts: from its first claim to the empty queue, its own warming up included. */
export const drain: Cell = {
  name: 'drain',
  about:
    'A daemon starts with marks of --rows keys waiting (500 keys a mark, and one): first claim to empty queue.',
  defaults: usual,
  figures: {
    'array marks': { of: 'ratio', atLeast: 0.65 },
    'single-key marks': { of: 'ratio', atLeast: 0.65 },
  },
  world: { documents: { article } },
  async *measure(world, { rounds, rows }, note) {
    await world.pool.query(articleTable('article'))
    await fillTable(world.postgresUrl, { count: rows })
    await world.sluice('install', '--no-backfill')
    const documents = await warmUp(world, { view: 'sluice.document_article', alias: article.index, note })
    note(`warm-up: drain, ${Math.round((await drainOnce(world, rows, 500)).value)} a second`)
    for (let round = 1; round <= rounds; round++) {
      const raw = await measureCeiling(world, article.index, documents)
      for (const [name, keysPerMark] of kinds) {
        await world.reinstall('article')
        const { value, details } = await drainOnce(world, rows, keysPerMark)
        yield { round, case: name, value, unit: 'documents/s', ceiling: raw, ratio: value / raw, details }
      }
    }
  },
}

async function drainOnce(world: World, rows: number, keysPerMark: number) {
  await writeMarks(world, { document: 'article', lane: 1, count: rows, keysPerMark })
  await world.pool.query('CHECKPOINT')
  const claimed = firstClaim(world)
  const [daemon, began] = await Promise.all([world.startDaemon(), claimed])
  const cost = costMeter(world, daemon)
  const ended = await emptied(world)
  const details = cost(rows)
  await daemon.stop()
  await assertIndexed(world, article.index, rows)
  return { value: (rows * 1000) / (ended - began), details }
}
