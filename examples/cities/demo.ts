import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs, styleText } from 'node:util'
import { SingleBar } from 'cli-progress'
import pg from 'pg'
import { describeError } from '../../src/errors.ts'
import { compare } from '../../test/support/compare.ts'
import { findOrStartServers, type Servers } from '../../test/support/servers/index.ts'
import { loadCities } from './load.ts'
import { openStage, type Stage, say } from './stage.ts'
import { truth } from './truth.ts'

/**
 * The main job on real data: 171,075 cities from Postgres to Elasticsearch, then changes before the reader's
 * eyes. Exit code 0 only if, in the end, every document agrees with its row.
 */

interface Play {
  readonly servers: Servers
  readonly stage: Stage
  readonly pool: pg.Pool
}

const { values: flags } = parseArgs({ options: { exit: { type: 'boolean', default: false } } })
process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${describeError(error)}\n`)
  return 1
})

async function main(): Promise<number> {
  say('starting Postgres and Elasticsearch (the first time, Elasticsearch is fetched: 107 MB)')
  const servers = await findOrStartServers()
  const pool = new pg.Pool({ connectionString: servers.postgresUrl })
  // Its servers may be killed for fun: the next query says so.
  pool.on('error', () => {})
  const stage = openStage(servers)
  try {
    const agreed = await play({ servers, stage, pool })
    if (!flags.exit) await stayUp(servers)
    return agreed ? 0 : 1
  } finally {
    await stage.stopDaemon()
    await pool.end()
    await servers.stop()
  }
}

async function play(demo: Play): Promise<boolean> {
  const { stage, servers } = demo
  await load(servers)
  if ((await stage.command('install')) !== 0) return false
  stage.startDaemon()
  await daemonIsUp(demo.pool)
  if ((await stage.command('backfill', 'city')) !== 0) return false
  await tellRate(demo.pool)
  await changes(demo)
  await stage.command('status')
  return agree(demo)
}

async function load({ postgresUrl }: Servers): Promise<void> {
  const bar = new SingleBar({ format: '  loading [{bar}] {value}/{total} rows', hideCursor: true })
  let started = false
  await loadCities(postgresUrl, {
    onProgress: (done, total) => {
      if (!process.stdout.isTTY) return
      if (started) bar.update(done)
      else bar.start(total, done)
      started = true
    },
  })
  bar.stop()
  say('171,075 cities of the world are in Postgres, table geo.city')
}

/** Until the daemon has said that it works on the cities; otherwise `backfill` would find nobody, and do it all itself. */
async function daemonIsUp(pool: pg.Pool): Promise<void> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline) {
    const { rows } = await pool.query(
      "SELECT FROM sluice.sync_worker WHERE state = 'running' AND documents ? 'city'",
    )
    if (rows.length > 0) return
    await delay(50)
  }
}

async function tellRate(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ processed: string; seconds: number }>(
    `SELECT processed, extract(epoch FROM finished_at - started_at)::float8 AS seconds
       FROM sluice.sync_run WHERE kind = 'backfill' ORDER BY id DESC LIMIT 1`,
  )
  const [run] = rows
  if (run === undefined) return
  const rate = Math.round(Number(run.processed) / run.seconds)
  say(
    `backfill: ${Number(run.processed).toLocaleString('en')} documents in ${run.seconds.toFixed(1)} s, ${rate.toLocaleString('en')} a second`,
  )
}

async function changes(demo: Play): Promise<void> {
  const [first] = (
    await demo.pool.query<{ id: string; name: string }>(
      "SELECT id, name FROM geo.city WHERE name = 'Zürich' ORDER BY id LIMIT 1",
    )
  ).rows
  const id = first?.id ?? '1'
  // Otherwise our first look at a changed document makes Elasticsearch refresh all of the backfill (measured: 476 ms
  // after 100,000 documents, 8 ms later on), and that would be shown as the latency of the first edit.
  await fetch(new URL('/cities/_refresh', demo.servers.elasticsearchUrl), { method: 'POST' })
  await show(demo, `UPDATE geo.city SET name = 'Züri' WHERE id = ${id}`, id, (city) => city?.name === 'Züri')
  await show(demo, `UPDATE geo.city SET active = false WHERE id = ${id}`, id, (city) => city === null)
  await show(
    demo,
    `UPDATE geo.city SET active = true, name = 'Zürich' WHERE id = ${id}`,
    id,
    (city) => city?.name === 'Zürich',
  )
  await show(demo, `DELETE FROM geo.city WHERE id = ${id}`, id, (city) => city === null)

  const [last] = (
    await demo.pool.query<{ id: string }>("SELECT max(id) AS id FROM geo.city WHERE country_code = 'IT'")
  ).rows
  await show(
    demo,
    `UPDATE geo.city SET name = upper(name) WHERE country_code = 'IT'`,
    last?.id ?? '1',
    (city) => typeof city?.name === 'string' && city.name === city.name.toUpperCase(),
    ' (the last of them)',
  )
  await fanOut(demo)
  // A single edit does not wait behind the thousands.
  await demo.pool.query(`UPDATE geo.city SET name = lower(name) WHERE country_code = 'US'`)
  const [other] = (
    await demo.pool.query<{ id: string }>("SELECT id FROM geo.city WHERE country_code = 'CH' LIMIT 1")
  ).rows
  await show(
    demo,
    `UPDATE geo.city SET name = 'first' WHERE id = ${other?.id}`,
    other?.id ?? '1',
    (city) => city?.name === 'first',
    ' (while an update of all cities of the US is under way)',
  )
}

/** Changes of other tables: one row, and all documents that show it. */
async function fanOut(demo: Play): Promise<void> {
  const lastOf = async (country: string) => {
    const { rows } = await demo.pool.query<{ id: string; count: string }>(
      'SELECT max(id) AS id, count(*) AS count FROM geo.city WHERE country_code = $1 AND active',
      [country],
    )
    return {
      id: rows[0]?.id ?? '1',
      remark: ` (${Number(rows[0]?.count).toLocaleString('en')} cities show it; the last of them)`,
    }
  }
  const us = await lastOf('US')
  await show(
    demo,
    `UPDATE geo.country SET name = 'United States of America' WHERE code = 'US'`,
    us.id,
    (city) => city?.country?.name === 'United States of America',
    us.remark,
  )
  const ch = await lastOf('CH')
  await show(
    demo,
    `INSERT INTO geo.country_language (country_code, language, position) VALUES ('CH', 'en', 5)`,
    ch.id,
    (city) => city?.languages?.includes('English') === true,
    ch.remark,
  )
}

type City = {
  readonly name?: string
  readonly country?: { readonly name: string }
  readonly languages?: readonly string[]
} | null

/** Makes a change and waits until Elasticsearch has it: the time from the commit's answer to the document. */
async function show(
  { pool, servers }: Play,
  statement: string,
  id: string,
  arrived: (city: City) => boolean,
  remark = '',
): Promise<void> {
  process.stdout.write(`\n${styleText('bold', `# ${statement}`)}${remark}\n`)
  const { rowCount } = await pool.query(statement)
  const committed = performance.now()
  const deadline = committed + 60_000
  for (;;) {
    const answer = await fetch(new URL(`/cities/_doc/${id}`, servers.elasticsearchUrl))
    const { _source } = (await answer.json()) as { _source?: City }
    if (arrived(_source ?? null)) break
    if (performance.now() > deadline)
      throw new Error(`city ${id} did not arrive within a minute: ${statement}`)
    await delay(1)
  }
  const latency = Math.round(performance.now() - committed)
  say(
    `${rowCount === 1 ? '1 row' : `${rowCount?.toLocaleString('en')} rows`}, in Elasticsearch ${latency} ms after the commit`,
  )
}

/** Waits until the queue is empty, then compares every row with its document. */
async function agree({ pool, servers }: Play): Promise<boolean> {
  for (;;) {
    const { rows } = await pool.query('SELECT FROM sluice.sync_queue LIMIT 1')
    if (rows.length === 0) break
    await delay(100)
  }
  say('comparing every row with its document')
  const { documents, missing, stale, extra, examples } = await compare({
    pool,
    elasticsearch: servers.elasticsearchUrl,
    index: 'cities',
    truth,
  })
  for (const example of examples) say(example)
  const agreed = missing + stale + extra === 0
  const verdict = `${documents.toLocaleString('en')} rows: ${missing} missing, ${stale} stale, ${extra} extra`
  process.stdout.write(`\n${styleText(agreed ? 'green' : 'red', `${agreed ? '✔' : '✘'} ${verdict}`)}\n`)
  return agreed
}

async function stayUp({ postgresUrl, elasticsearchUrl }: Servers): Promise<void> {
  process.stdout.write(`
Everything stays up for play; Ctrl-C ends it.

  psql '${postgresUrl}' -c "UPDATE geo.city SET name = 'Atlantis' WHERE id = 1"
  curl '${new URL('/cities/_doc/1?pretty', elasticsearchUrl)}'
  psql '${postgresUrl}' -c 'SELECT * FROM sluice.sync_stats'
`)
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
}
