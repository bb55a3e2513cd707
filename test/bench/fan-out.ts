import { Arrivals } from './arrivals.ts'
import { type Cell, usual } from './cell.ts'
import { edit } from './edits.ts'
import { startObserver } from './observer.ts'
import { quiet } from './quiet.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { percentile, rounded } from './statistics.ts'
import { type World, warmUp } from './world.ts'

/** Roots that one row of the other table is shown in: as many as the largest country of the demo has cities. */
const ROOTS = 17_000
/** Rows that belong to others, and people edit. */
const EDITED = 5_000
/** Changes of the one row in a round: each takes a second or so, too short for a percentile. */
const CHANGES = 8

const document = {
  ...article,
  relations: { land: { one: 'land', fields: ['code', 'name'] } },
}

const UNFINISHED = `SELECT FROM sluice.sync_queue WHERE document = 'article' AND (lane = 1 OR source <> '') LIMIT 1`

/** One row is changed that thousands of documents show, while others are edited. */
export const fanOut: Cell = {
  name: 'fan-out',
  about: `One change that ${ROOTS.toLocaleString('en')} documents show: commit to the last answer, with and without single edits, and their p99 (--rate a second, default 50).`,
  defaults: { ...usual, rows: 100_000 },
  figures: {
    'all documents': { of: 'value', atMost: 2 },
    'all documents, amid single edits': { of: 'value', atMost: 2 },
    'p99 of single edits': { of: 'value', atMost: 250 },
  },
  world: { documents: { article: document } },
  async *measure(world, { rounds, rows, rate }, note) {
    let arrivals = new Arrivals(article.index)
    const observer = await startObserver(world.elasticsearchUrl, (exchange) => arrivals.observe(exchange))
    try {
      await prepare(world, Math.max(rows, ROOTS + EDITED))
      await warmUp(world, { view: 'sluice.document_article', alias: article.index, note })
      await world.startDaemon({ elasticsearchUrl: observer.url })
      await world.sluice('backfill', 'article')
      for (let round = 1; round <= rounds; round++) {
        await quiet(world)
        yield measurement(round, 'all documents', await change(world, `quiet ${round}`))
        arrivals = new Arrivals(article.index)
        let over = false
        const changes = change(world, `busy ${round}`).finally(() => {
          over = true
        })
        const edits = await edit({
          url: world.postgresUrl,
          arrivals,
          first: ROOTS + 1,
          rows: EDITED,
          rate: rate ?? 50,
          seconds: 0,
          until: () => over,
        })
        const spans = await changes
        yield measurement(round, 'all documents, amid single edits', spans)
        // Those made while Elasticsearch merged in between met no fan-out.
        const latencies = arrivals.latenciesWithin(spans)
        const p99 = percentile(latencies, 0.99)
        yield {
          round,
          case: 'p99 of single edits',
          value: p99,
          unit: 'ms',
          details: { edits: latencies.length, of: edits.count },
        }
        yield { round, case: 'p50 of single edits', value: percentile(latencies, 0.5), unit: 'ms' }
      }
    } finally {
      await observer.close()
    }
  },
}

/** From the commit to the last answer, in monotonic milliseconds. */
type Span = readonly [committedAt: number, endedAt: number]

function measurement(round: number, name: string, spans: readonly Span[]) {
  const seconds = spans.map(([began, ended]) => (ended - began) / 1000)
  const details = { changes: CHANGES, slowest: rounded(Math.max(...seconds)) }
  return { round, case: name, value: percentile(seconds, 0.5), unit: 's', details }
}

/** One change after the other. */
async function change(world: World, name: string): Promise<readonly Span[]> {
  const spans: Span[] = []
  for (let n = 0; n < CHANGES; n++) {
    await merged(world)
    spans.push(await changeOnce(world, `${name}.${n}`))
  }
  return spans
}

async function prepare({ pool, postgresUrl, sluice }: World, rows: number): Promise<void> {
  await pool.query(articleTable('article'))
  await fillTable(postgresUrl, { count: rows })
  await pool.query(`
    CREATE TABLE land (code integer PRIMARY KEY, name text NOT NULL);
    INSERT INTO land SELECT n, 'land ' || n FROM generate_series(1, 200) n;
    ALTER TABLE article ADD land_code integer REFERENCES land;
    UPDATE article SET land_code = CASE WHEN id <= ${ROOTS} THEN 1 ELSE 2 + id % 199 END;
    CREATE INDEX ON article (land_code)`)
  await pool.query('VACUUM (FULL, ANALYZE) article')
  await sluice('install', '--no-backfill')
}

/** From the commit until no mark is left of it: the edits' own marks come and go, so the documents are asked, too. */
async function changeOnce(world: World, name: string): Promise<Span> {
  await world.pool.query('UPDATE land SET name = $1 WHERE code = 1', [name])
  const began = performance.now()
  const ended = await bulkEnded(world)
  await world.search('POST', `/${article.index}/_refresh`)
  const query = { query: { term: { 'land.name.keyword': name } } }
  const { count } = (await world.search('POST', `/${article.index}/_count`, query)) as { count: number }
  if (count !== ROOTS) throw new Error(`${count} documents of ${ROOTS} show the change`)
  return [began, ended]
}

/** Resolves when Elasticsearch has merged what the change before this one left behind: one change is measured, not a row of them. */
async function merged({ search }: World): Promise<void> {
  const deadline = performance.now() + 180_000
  for (;;) {
    const { indices } = (await search('GET', `/${article.index}/_stats/merge`)) as MergeStats
    if (Object.values(indices).every(({ total }) => total.merges.current === 0)) return
    if (performance.now() > deadline) throw new Error('Elasticsearch has merged for three minutes')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

interface MergeStats {
  readonly indices: Readonly<
    Record<string, { readonly total: { readonly merges: { readonly current: number } } }>
  >
}

/** Resolves when neither the mark of the other table nor what has become of it is left. */
async function bulkEnded({ pool }: World): Promise<number> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const { rows } = await pool.query({ name: 'bulk', text: UNFINISHED })
    if (rows.length === 0) return performance.now()
    if (performance.now() > deadline) throw new Error('the change is not through after a minute')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
