import { setTimeout as delay } from 'node:timers/promises'
import { Arrivals } from './arrivals.ts'
import { type Cell, usual } from './cell.ts'
import { edit } from './edits.ts'
import { startObserver } from './observer.ts'
import { emptied } from './queue.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { percentile } from './statistics.ts'
import { type World, warmUp } from './world.ts'

/** Rows that people edit, in the midst of those that the backfill walks. */
const EDITED = 5_000

/** Single edits while a backfill runs: what it costs those who work meanwhile. */
export const backfillVsInteractive: Cell = {
  name: 'backfill-vs-interactive',
  about:
    'Single edits (--rate a second, default 50) while sluice backfill of --rows rows runs: commit to answer, p50 and p99.',
  defaults: { ...usual, rows: 1_000_000 },
  figures: { 'p99 of single edits': { of: 'value', atMost: 250 } },
  world: { documents: { article } },
  async *measure(world, { rounds, rows, rate }, note) {
    let arrivals = new Arrivals(article.index)
    const observer = await startObserver(world.elasticsearchUrl, (exchange) => arrivals.observe(exchange))
    try {
      await world.pool.query(articleTable('article'))
      note(`writing ${rows} rows`)
      await fillTable(world.postgresUrl, { count: rows })
      await world.sluice('install', '--no-backfill')
      const view = `(SELECT * FROM sluice.document_article WHERE key_1 <= 100000) AS subset`
      await warmUp(world, { view, alias: article.index, note })
      await world.startDaemon({ elasticsearchUrl: observer.url })
      for (let round = 1; round <= rounds; round++) {
        note(`round ${round}: the backfill`)
        arrivals = new Arrivals(article.index)
        await world.sluice('backfill', 'article', '--no-wait')
        let ended: Ended | null = null
        const run = runEnded(world).then((found) => {
          ended = found
          return found
        })
        const edits = await edit({
          url: world.postgresUrl,
          arrivals,
          first: Math.max(1, Math.floor((rows - EDITED) / 2)),
          rows: Math.min(EDITED, rows),
          rate: rate ?? 50,
          seconds: 0,
          until: () => ended !== null,
        })
        const { processed, seconds } = await run
        const { latencies } = arrivals
        const details = {
          edits: edits.count,
          backfill_documents_per_second: Math.round(processed / seconds),
        }
        yield { round, case: 'p99 of single edits', value: percentile(latencies, 0.99), unit: 'ms', details }
        yield { round, case: 'p50 of single edits', value: percentile(latencies, 0.5), unit: 'ms' }
        await emptied(world)
      }
    } finally {
      await observer.close()
    }
  },
}

interface Ended {
  readonly processed: number
  readonly seconds: number
}

/** Resolves when the last run is done. */
async function runEnded({ pool }: World): Promise<Ended> {
  for (;;) {
    const { rows } = await pool.query<Ended & { readonly state: string }>(
      `SELECT state, processed::float8, extract(epoch FROM finished_at - started_at)::float8 AS seconds
         FROM sluice.sync_run ORDER BY id DESC LIMIT 1`,
    )
    const [run] = rows
    if (run?.state === 'done') return run
    if (run !== undefined && !['requested', 'running'].includes(run.state))
      throw new Error(`the backfill ended ${JSON.stringify(run)}`)
    await delay(100)
  }
}
