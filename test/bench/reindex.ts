import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { fetchFrom } from './address.ts'
import { type Cell, type Note, usual } from './cell.ts'
import { quiet } from './quiet.ts'
import { runEnded } from './run-ended.ts'
import { flat } from './subject.ts'
import { type World, warmUp } from './world.ts'

const { document, definition } = flat

/** Single-row changes a second, searches a second. */
const CHANGES = 200
const SEARCHES = 50

/**
 * A reindex of --rows rows beside a plain backfill of the same rows in the same round, both under the same single changes and
 * searches. Those of the backfill cost less: they meet an index that is being filled. Searches count from before the reindex
 * until after its swap; then rows and documents are compared, as text.
 */
export const reindex: Cell = {
  name: 'reindex',
  about: `sluice reindex of --rows rows under --rate changes a second (default ${CHANGES}) and ${SEARCHES} searches a second, against a backfill under the same.`,
  defaults: { ...usual, rows: 150_000 },
  figures: {
    'elapsed against a backfill': { of: 'value', atMost: 1.3 },
    'failed searches': { of: 'value', atMost: 0 },
    'empty searches': { of: 'value', atMost: 0 },
    'missing, stale, extra': { of: 'value', atMost: 0 },
  },
  world: { documents: { [document]: definition } },
  async *measure(world, { rounds, rows, rate }, note) {
    await flat.fill(world, rows)
    await world.sluice('install', '--no-backfill')
    const view = `(SELECT * FROM sluice.document_${document} WHERE key_1 <= 100000) AS subset`
    await warmUp(world, { view, alias: definition.index, note })
    await world.startDaemon()
    const load = { rows, rate: rate ?? CHANGES }
    // Bulk requests alone do not warm up what a run goes through: the first backfill takes twice as long as the second.
    note('a round that does not count')
    await runBoth(world, load, note)
    for (let round = 1; round <= rounds; round++) {
      await world.reinstall(document)
      note(`round ${round}`)
      const { backfilled, reindexed, changes, searches } = await runBoth(world, load, note)
      const differences = await compare(world, rows)
      const details = {
        backfill_s: backfilled,
        reindex_s: reindexed,
        changes,
        ...searches,
        ...differences,
      }
      const figure = (name: string, value: number, unit: string) => ({ round, case: name, value, unit })
      yield { ...figure('elapsed against a backfill', reindexed / backfilled, '×'), details }
      yield figure('failed searches', searches.failed, 'searches')
      yield figure('empty searches', searches.empty, 'searches')
      const { missing, stale, extra } = differences
      yield figure('missing, stale, extra', missing + stale + extra, 'documents')
    }
  },
}

interface Load {
  readonly rows: number
  /** Changes a second. */
  readonly rate: number
}

/**
 * A backfill of the empty index and a reindex of the full one, in seconds. Both have their changes and searches, and begin with
 * nothing else to do.
 */
async function runBoth(world: World, load: Load, note: Note) {
  await quiet(world)
  const amidBackfill = startLoad(world, load)
  const backfilled = await runOnce(world, 'backfill', note)
  await amidBackfill.stop()
  await drained(world)
  await merged(world)
  await quiet(world)
  const amidReindex = startLoad(world, load)
  const reindexed = await runOnce(world, 'reindex', note)
  // A while beyond the swap: what an idle or half-filled index would answer shows then, too.
  await delay(2_000)
  const counted = await amidReindex.stop()
  await drained(world)
  return { backfilled, reindexed, ...counted }
}

/**
 * The living index as one that has stood for a while. A backfill leaves many small segments, and Elasticsearch merges them
 * while the reindex runs, with a tenth of both cores: that is the backfill's work.
 */
async function merged(world: World): Promise<void> {
  await world.search('POST', `/${definition.index}/_forcemerge?max_num_segments=1`)
}

function startLoad(world: World, load: Load) {
  const changing = startChanges(world.postgresUrl, load)
  const searching = startSearches(world, definition.index)
  return {
    stop: async () => ({ searches: await searching.stop(), changes: await changing.stop() }),
  }
}

/** From the run's start to its end, in seconds; when each step began is told. */
async function runOnce(world: World, kind: 'backfill' | 'reindex', note: Note): Promise<number> {
  const steps = new Map<string, number>()
  await world.sluice(kind, document, ...(kind === 'reindex' ? ['--keep', '0'] : []), '--no-wait')
  const { seconds } = await runEnded(world, { kind }, (step) => {
    if (!steps.has(step)) steps.set(step, performance.now())
  })
  const [began = 0] = steps.values()
  const at = [...steps].map(([name, since]) => `${name} ${((since - began) / 1000).toFixed(1)} s`)
  note(`${kind}: ${at.join(', ')}`)
  return seconds
}

/** One row at a time, at a steady rate: updates, and every tenth an insert and a delete of it later. */
function startChanges(url: string, { rows, rate }: Load) {
  const pool = new pg.Pool({ connectionString: url, max: 8, application_name: 'bench changes' })
  pool.on('error', () => {})
  const under = new Set<Promise<unknown>>()
  let stopped = false
  let count = 0
  const change = (n: number) =>
    n % 10 === 0
      ? pool.query(
          `WITH gone AS (DELETE FROM article WHERE id = $1::bigint - 1000)
           INSERT INTO article SELECT $1, seq, title, city, region, country, price, stock, rating, active, published_at, body, note
             FROM article WHERE id = $2 ON CONFLICT DO NOTHING`,
          [10_000_000 + n, 1 + (n % rows)],
        )
      : pool.query('UPDATE article SET stock = stock + 1, seq = $2 WHERE id = $1', [
          1 + ((n * 7919) % rows),
          n,
        ])
  const ended = (async () => {
    const began = performance.now()
    for (; !stopped; count++) {
      const wait = began + (count * 1000) / rate - performance.now()
      if (wait > 1) await delay(wait)
      const one = change(count).finally(() => under.delete(one))
      under.add(one)
    }
    await Promise.all(under)
    await pool.end()
  })()
  return {
    stop: async () => {
      stopped = true
      await ended
      return count
    },
  }
}

/** An open loop: a slow answer does not thin out the searches behind it. */
function startSearches({ elasticsearchUrl }: World, alias: string) {
  const figures = { searches: 0, failed: 0, empty: 0 }
  const under = new Set<Promise<void>>()
  let stopped = false
  const search = async () => {
    figures.searches += 1
    const answer = await fetchFrom(elasticsearchUrl, `/${alias}/_search`, {
      method: 'POST',
      body: '{"size": 10, "track_total_hits": true, "query": {"term": {"active": true}}}',
    })
    const { hits, _shards } = (await answer.json()) as {
      hits?: { total: { value: number } }
      _shards?: { failed: number }
    }
    if (!answer.ok || hits === undefined || _shards?.failed !== 0) figures.failed += 1
    else if (hits.total.value === 0) figures.empty += 1
  }
  const ended = (async () => {
    const began = performance.now()
    for (let n = 0; !stopped; n++) {
      const wait = began + (n * 1000) / SEARCHES - performance.now()
      if (wait > 1) await delay(wait)
      const one = search()
        .catch(() => {
          figures.failed += 1
        })
        .finally(() => under.delete(one))
      under.add(one)
    }
    await Promise.all(under)
  })()
  return {
    stop: async () => {
      stopped = true
      await ended
      return figures
    },
  }
}

async function drained({ pool }: World): Promise<void> {
  for (;;) {
    const { rows } = await pool.query('SELECT FROM sluice.sync_queue LIMIT 1')
    if (rows.length === 0) return
    await delay(100)
  }
}

/** Every row's document as Postgres makes it, against what the index holds: by content, in pages of keys. */
async function compare(world: World, rows: number) {
  const alias = definition.index
  await world.search('POST', `/${alias}/_refresh`)
  let [missing, stale, found] = [0, 0, 0]
  for (let after = '-1'; ; ) {
    const { rows: page } = await world.pool.query<{ key: string; document: string }>(
      `SELECT key, document FROM sluice.document_${document} WHERE key_1 > $1 ORDER BY key_1 LIMIT 2000`,
      [after],
    )
    const last = page.at(-1)
    if (last === undefined) break
    after = last.key
    const { docs } = (await world.search('POST', `/${alias}/_mget`, { ids: page.map(({ key }) => key) })) as {
      docs: readonly { found: boolean; _source?: unknown }[]
    }
    page.forEach((row, n) => {
      const there = docs[n]
      if (there?.found !== true) missing += 1
      else if (JSON.stringify(there._source) !== JSON.stringify(JSON.parse(row.document))) stale += 1
      found += there?.found === true ? 1 : 0
    })
  }
  if (found < rows / 2) throw new Error(`only ${found} of ${rows} rows have a document`)
  const { count } = (await world.search('GET', `/${alias}/_count`)) as { count: number }
  return { missing, stale, extra: count - found }
}
