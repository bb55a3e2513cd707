import { Arrivals } from './arrivals.ts'
import { type Cell, type Figure, usual } from './cell.ts'
import { edit } from './edits.ts'
import { startObserver } from './observer.ts'
import { emptied } from './queue.ts'
import { quiet } from './quiet.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { percentile } from './statistics.ts'
import { type World, warmUp } from './world.ts'

/** Changes a second, each with the milliseconds that its percentiles may take; a p50 without is there for comparison. */
const rates: readonly { readonly rate: number; readonly p50?: number; readonly p99: number }[] = [
  { rate: 100, p50: 25, p99: 100 },
  { rate: 500, p50: 25, p99: 100 },
  { rate: 2_000, p99: 500 },
]

/** Those of a steady rate that is asked for, which has no figure where it is none of ours. */
const name = (percent: 'p50' | 'p99', rate: number) => `${percent} at ${rate}/s`

const figures: Readonly<Record<string, Figure>> = Object.fromEntries(
  rates.flatMap(({ rate, p50, p99 }) => [
    ...(p50 === undefined ? [] : [[name('p50', rate), { of: 'value', atMost: p50 } as const] as const]),
    [name('p99', rate), { of: 'value', atMost: p99 } as const] as const,
  ]),
)

/**
 * Single-row changes at a steady rate: from the commit's answer to Elasticsearch's answer for that document. Where servers and
 * writer share two cores, the writer may not commit as many as it should: `reached_per_second` says how many it did.
 */
export const latency: Cell = {
  name: 'latency',
  about: `Single-row changes, --rate a second (default: ${rates.map(({ rate }) => rate).join(', then ')}) for --seconds: commit to Elasticsearch’s answer.`,
  defaults: { ...usual, rows: 20_000 },
  figures,
  world: { documents: { article } },
  async *measure(world, { rounds, rows, rate: only, seconds }, note) {
    let arrivals = new Arrivals(article.index)
    const observer = await startObserver(world.elasticsearchUrl, (exchange) => arrivals.observe(exchange))
    try {
      await world.pool.query(articleTable('article'))
      await fillTable(world.postgresUrl, { count: rows })
      await world.sluice('install')
      await warmUp(world, { view: 'sluice.document_article', alias: article.index, note })
      const daemon = await world.startDaemon({ elasticsearchUrl: observer.url })
      await backfilled(world)
      const measure = async (rate: number, forSeconds: number) => {
        await quiet(world)
        arrivals = new Arrivals(article.index)
        const url = world.postgresUrl
        const edits = await edit({ url, arrivals, first: 1, rows, rate, seconds: forSeconds })
        return { latencies: arrivals.latencies, edits }
      }
      const chosen = only === null ? rates.map(({ rate }) => rate) : [only]
      for (const rate of chosen) await measure(rate, 5)
      for (let round = 1; round <= rounds; round++) {
        for (const rate of chosen) {
          note(`round ${round}: ${rate} changes a second for ${seconds} s`)
          const { latencies, edits } = await measure(rate, seconds)
          const details = { changes: edits.count, reached_per_second: Math.round(edits.rate) }
          const of = (percent: 'p50' | 'p99', share: number) => ({
            round,
            case: name(percent, rate),
            value: percentile(latencies, share),
            unit: 'ms',
            details,
          })
          yield of('p50', 0.5)
          yield of('p99', 0.99)
        }
      }
      await daemon.stop()
    } finally {
      await observer.close()
    }
  },
}

/** The backfill that `install` has requested is over, so that edits find documents to replace. */
async function backfilled(world: World): Promise<void> {
  for (;;) {
    const { rows } = await world.pool.query(
      `SELECT FROM sluice.sync_run WHERE state IN ('requested', 'running')`,
    )
    if (rows.length === 0) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await emptied(world)
}
