import { Arrivals } from './arrivals.ts'
import type { CellOptions, Measurement, Note } from './cell.ts'
import { edit } from './edits.ts'
import { startObserver } from './observer.ts'
import { emptied } from './queue.ts'
import { quiet } from './quiet.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { percentile } from './statistics.ts'
import { WARM_VIEW, type World, warmUp } from './world.ts'

/** Something large that is worked off while people edit single rows. */
export interface Beside {
  /** For notes: `the backfill`. */
  readonly what: string
  /** Rows that the table has. */
  readonly count: number
  /** Rows that people edit: so many, from this one on. */
  readonly edited: { readonly first: number; readonly rows: number }
  /** Begins it. `ended` resolves when it is worked off, to what is worth knowing of it besides. */
  begin(): Promise<{ readonly ended: Promise<Readonly<Record<string, number>>> }>
  /** After a round, before the next. */
  settle?(): Promise<void>
}

/** Single edits, --rate a second, as long as that takes: commit to answer, p99 and p50 of each round. */
export async function* editsBeside(
  world: World,
  { rounds, rate }: CellOptions,
  note: Note,
  { what, count, edited, begin, settle }: Beside,
): AsyncGenerator<Measurement, void, void> {
  let arrivals = new Arrivals(article.index)
  const observer = await startObserver(world.elasticsearchUrl, (exchange) => arrivals.observe(exchange))
  try {
    await world.pool.query(articleTable('article'))
    note(`writing ${count} rows`)
    await fillTable(world.postgresUrl, { count })
    await world.sluice('install', '--no-backfill')
    await warmUp(world, { view: WARM_VIEW, alias: article.index, note })
    await world.startDaemon({ elasticsearchUrl: observer.url })
    for (let round = 1; round <= rounds; round++) {
      await quiet(world)
      note(`round ${round}: ${what}`)
      const begun = await begin()
      arrivals = new Arrivals(article.index)
      let over = false
      const ended = begun.ended.finally(() => {
        over = true
      })
      const edits = await edit({
        url: world.postgresUrl,
        arrivals,
        ...edited,
        rate: rate ?? 50,
        seconds: 0,
        until: () => over,
      })
      const details = { edits: edits.count, ...(await ended) }
      const { latencies } = arrivals
      yield { round, case: 'p99 of single edits', value: percentile(latencies, 0.99), unit: 'ms', details }
      yield { round, case: 'p50 of single edits', value: percentile(latencies, 0.5), unit: 'ms' }
      await emptied(world)
      await settle?.()
    }
  } finally {
    await observer.close()
  }
}
