import { Arrivals } from './arrivals.ts'
import { type Cell, usual } from './cell.ts'
import { edit } from './edits.ts'
import { startObserver } from './observer.ts'
import { writeMarks } from './queue.ts'
import { quiet } from './quiet.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { percentile } from './statistics.ts'
import { type World, warmUp } from './world.ts'

const ROWS = 20_000

/** A second document whose index takes no writes: its marks wait, and must not be in the way. */
const stuck = { ...article, table: 'stuck', index: 'bench-stuck' }

/** Single edits of one document while a million marks of another wait for an index that is blocked. */
export const blockedIndex: Cell = {
  name: 'blocked-index',
  about:
    'Single edits (--rate a second, default 100, for --seconds) of one document while --rows marks of another wait for a blocked index.',
  defaults: { ...usual, rows: 1_000_000, seconds: 30 },
  figures: { 'p99 of single edits': { of: 'value', atMost: 250 } },
  world: { documents: { article, stuck } },
  async *measure(world, { rounds, rows, rate, seconds }, note) {
    let arrivals = new Arrivals(article.index)
    const observer = await startObserver(world.elasticsearchUrl, (exchange) => arrivals.observe(exchange))
    try {
      await world.pool.query(`${articleTable('article')}; ${articleTable('stuck')}`)
      await fillTable(world.postgresUrl, { count: ROWS })
      await fillTable(world.postgresUrl, { count: 1_000, table: 'stuck' })
      await world.sluice('install', '--no-backfill')
      await warmUp(world, { view: 'sluice.document_article', alias: article.index, note })
      await world.search('PUT', `/${stuck.index}/_settings`, { 'index.blocks.write': true })
      note(`writing ${rows} marks, half of them interactive`)
      const half = { document: 'stuck', count: Math.ceil(rows / 2), keysPerMark: 1 } as const
      await writeMarks(world, { ...half, lane: 0 })
      await writeMarks(world, { ...half, lane: 1 })
      await world.startDaemon({ elasticsearchUrl: observer.url })
      const measure = async (forSeconds: number) => {
        await quiet(world)
        arrivals = new Arrivals(article.index)
        const changes = { first: 1, rows: ROWS, rate: rate ?? 100, seconds: forSeconds }
        const edits = await edit({ url: world.postgresUrl, arrivals, ...changes })
        return { latencies: arrivals.latencies, edits }
      }
      await measure(5)
      for (let round = 1; round <= rounds; round++) {
        const { latencies, edits } = await measure(seconds)
        const details = { edits: edits.count, marks_waiting: await waiting(world) }
        yield { round, case: 'p99 of single edits', value: percentile(latencies, 0.99), unit: 'ms', details }
        yield { round, case: 'p50 of single edits', value: percentile(latencies, 0.5), unit: 'ms' }
      }
    } finally {
      await observer.close()
    }
  },
}

async function waiting({ pool }: World): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT count(*)::integer AS count FROM sluice.sync_queue WHERE document = 'stuck'`,
  )
  return rows[0]?.count ?? 0
}
