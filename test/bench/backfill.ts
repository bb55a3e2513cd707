import { setTimeout as delay } from 'node:timers/promises'
import { type Cell, usual } from './cell.ts'
import { assertIndexed } from './queue.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { costMeter, measureCeiling, type World, warmUp } from './world.ts'

/** `sluice backfill` into an empty index, one daemon: from the run's start to its end, as `sync_run` has them. */
export const backfill: Cell = {
  name: 'backfill',
  about:
    'sluice backfill of --rows rows into an empty index with one daemon, beside the raw ceiling of the same round.',
  defaults: usual,
  figures: { backfill: { of: 'ratio', atLeast: 0.65 } },
  world: { documents: { article } },
  async *measure(world, { rounds, rows }, note) {
    await world.pool.query(articleTable('article'))
    await fillTable(world.postgresUrl, { count: rows })
    await world.sluice('install', '--no-backfill')
    const documents = await warmUp(world, { view: 'sluice.document_article', alias: article.index, note })
    const daemon = await world.startDaemon()
    note(`warm-up: backfill, ${Math.round(await backfillOnce(world, rows))} a second`)
    for (let round = 1; round <= rounds; round++) {
      const rawFirst = round % 2 === 1
      const before = rawFirst ? await measureCeiling(world, article.index, documents) : null
      await world.reinstall('article')
      const cost = costMeter(world, daemon)
      const value = await backfillOnce(world, rows)
      const details = cost(rows)
      const raw = before ?? (await measureCeiling(world, article.index, documents))
      yield { round, case: 'backfill', value, unit: 'documents/s', ceiling: raw, ratio: value / raw, details }
    }
    await daemon.stop()
  },
}

async function backfillOnce(world: World, rows: number): Promise<number> {
  await world.sluice('backfill', 'article', '--no-wait')
  for (;;) {
    const { rows: runs } = await world.pool.query<{ state: string; processed: number; seconds: number }>(
      `SELECT state, processed::float8, extract(epoch FROM finished_at - started_at)::float8 AS seconds
         FROM sluice.sync_run ORDER BY id DESC LIMIT 1`,
    )
    const [run] = runs
    if (run !== undefined && !['requested', 'running'].includes(run.state)) {
      if (run.state !== 'done' || run.processed < rows)
        throw new Error(`the backfill ended ${JSON.stringify(run)}`)
      await assertIndexed(world, article.index, rows)
      return run.processed / run.seconds
    }
    await delay(100)
  }
}
