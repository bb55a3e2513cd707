import { Arrivals } from './arrivals.ts'
import { type Cell, usual } from './cell.ts'
import { edit } from './edits.ts'
import { startObserver } from './observer.ts'
import { emptied } from './queue.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { percentile } from './statistics.ts'
import { type World, warmUp } from './world.ts'

/** Rows that the statement leaves alone, and people edit. Those it changes are locked until it commits. */
const EDITED = 5_000

/** Single edits while what one statement over a million rows has marked is worked off. */
export const bulkVsInteractive: Cell = {
  name: 'bulk-vs-interactive',
  about:
    'Single edits (--rate a second, default 50) while one UPDATE of --rows rows is drained: commit to answer, p99.',
  defaults: { ...usual, rows: 1_000_000 },
  figures: { 'p99 of single edits': { of: 'value', atMost: 250 } },
  world: { documents: { article } },
  async *measure(world, { rounds, rows, rate }, note) {
    let arrivals = new Arrivals(article.index)
    const observer = await startObserver(world.elasticsearchUrl, (exchange) => arrivals.observe(exchange))
    try {
      await world.pool.query(articleTable('article'))
      note(`writing ${rows} rows`)
      await fillTable(world.postgresUrl, { count: rows + EDITED })
      await world.sluice('install', '--no-backfill')
      const view = `(SELECT * FROM sluice.document_article WHERE key_1 <= 100000) AS subset`
      await warmUp(world, { view, alias: article.index, note })
      await world.startDaemon({ elasticsearchUrl: observer.url })
      for (let round = 1; round <= rounds; round++) {
        note(`round ${round}: the statement`)
        await world.pool.query('UPDATE article SET stock = stock + 1 WHERE id <= $1', [rows])
        const began = performance.now()
        arrivals = new Arrivals(article.index)
        let drainedAt: number | null = null
        const bulk = bulkEmptied(world).then((at) => {
          drainedAt = at
        })
        const edits = await edit({
          url: world.postgresUrl,
          arrivals,
          first: rows + 1,
          rows: EDITED,
          rate: rate ?? 50,
          seconds: 0,
          until: () => drainedAt !== null,
        })
        await bulk
        const { latencies } = arrivals
        const seconds = ((drainedAt ?? began) - began) / 1000
        const details = { edits: edits.count, bulk_documents_per_second: Math.round(rows / seconds) }
        yield { round, case: 'p99 of single edits', value: percentile(latencies, 0.99), unit: 'ms', details }
        yield { round, case: 'p50 of single edits', value: percentile(latencies, 0.5), unit: 'ms' }
        await emptied(world)
        await world.pool.query('VACUUM article')
      }
    } finally {
      await observer.close()
    }
  },
}

/** Resolves when the bulk lane is empty. */
async function bulkEmptied({ pool }: World): Promise<number> {
  for (;;) {
    const { rows } = await pool.query(
      `SELECT FROM sluice.sync_queue WHERE document = 'article' AND lane = 1 ORDER BY id LIMIT 1`,
    )
    if (rows.length === 0) return performance.now()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
