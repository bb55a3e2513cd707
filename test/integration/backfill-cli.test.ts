import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  eventually,
  type TestDatabase,
  type TestElasticsearch,
  testDatabase,
  testElasticsearch,
} from '../support/context.ts'

let db: TestDatabase
let search: TestElasticsearch
let folder: string
const children = new Set<ChildProcess>()

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname

beforeAll(async () => {
  db = await testDatabase()
  search = testElasticsearch()
  folder = await mkdtemp(join(tmpdir(), 'sluice-backfill-'))
  await db.pool.query(`
    CREATE TABLE city (id bigint PRIMARY KEY, name text);
    INSERT INTO city SELECT n, 'city ' || n FROM generate_series(1, 2000) n;
    CREATE TABLE line (id bigint PRIMARY KEY);
    INSERT INTO line SELECT generate_series(1, 10)`)
  const documents = {
    city: { table: 'city', index: `${search.prefix}city` },
    line: { table: 'line', index: `${search.prefix}line` },
  }
  await writeFile(join(folder, 'sluice.config.json'), JSON.stringify({ documents }))
  expect(await sluice('install', '--no-backfill')).toMatchObject({ code: 0 })
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await search.drop()
  await db.drop()
  await rm(folder, { recursive: true })
})

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

interface Started {
  readonly child: ChildProcess
  readonly said: () => string
  readonly ended: Promise<Ended>
}

function start(...args: readonly string[]): Started {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { ...process.env, DATABASE_URL: db.url, ELASTICSEARCH_URL: search.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let out = ''
  let err = ''
  child.stdout?.on('data', (data) => {
    out += data
  })
  child.stderr?.on('data', (data) => {
    err += data
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => {
      children.delete(child)
      resolve({ code, out, err })
    })
  })
  return { child, said: () => out + err, ended }
}

const sluice = (...args: readonly string[]) => start(...args).ended

async function indexedCount(document: string): Promise<number> {
  await search.request('POST', `/${search.prefix}${document}/_refresh`)
  const { count } = (await search.request('GET', `/${search.prefix}${document}/_count`)) as { count: number }
  return count
}

const runs = async () =>
  (
    await db.pool.query(
      'SELECT id::int, document, state, worker, walked::int FROM sluice.sync_run ORDER BY id',
    )
  ).rows

describe('without a daemon', () => {
  test('backfill says so and does it itself; --all goes on past a paused document and says so', async () => {
    await db.pool.query("SELECT sluice.pause('line', 'on purpose')")
    const { code, out, err } = await sluice('backfill', '--all')
    expect(out).toMatch(/^run \d+: backfill of city is done: 2,000 keys .*; 2,000 created$/m)
    expect(err).toContain('no daemon works on city: it is done here')
    expect(err).toContain('line is left out: it is paused (on purpose)')
    expect(code).toBe(1)
    expect(await indexedCount('city')).toBe(2000)
    await db.pool.query("SELECT sluice.resume('line')")
  })

  test('--json prints one document when all is done', async () => {
    const { code, out, err } = await sluice('backfill', 'line', 'city', '--where', 'id <= 5', '--json')
    expect(JSON.parse(out)).toMatchObject({
      runs: [
        {
          document: 'line',
          state: 'done',
          processed: 5,
          total: 5,
          existing: false,
          estimate: { total: 5, counted: 'exact' },
        },
        { document: 'city', state: 'done', processed: 5, updated: 5, options: { where: 'id <= 5' } },
      ],
    })
    expect({ code, err }).toEqual({ code: 0, err: '' })
  })

  test('Ctrl-C leaves the run where it stands, and the next command goes on from there', async () => {
    const blocker = await db.pool.connect()
    const first = start('backfill', 'line')
    try {
      // The walk waits for the table, so that it stands at its beginning when the signal comes.
      await blocker.query('BEGIN; LOCK TABLE line IN ACCESS EXCLUSIVE MODE')
      await eventually(async () => (await runs()).at(-1)?.state === 'running', { describe: first.said })
      first.child.kill('SIGINT')
      const stopping = "SELECT FROM sluice.sync_worker WHERE state IN ('draining', 'stopped') AND pid = $1"
      await eventually(async () => (await db.pool.query(stopping, [first.child.pid])).rowCount === 1)
    } finally {
      await blocker.query('ROLLBACK')
      blocker.release()
    }
    const { code, err } = await first.ended
    const { id } = (await runs()).at(-1)
    expect((await runs()).at(-1)).toMatchObject({ state: 'running', worker: null, walked: 0 })
    expect(err).toContain(`run ${id} of line waits for a daemon`)
    expect(code).toBe(0)
    const second = await sluice('backfill', 'line')
    expect(second).toMatchObject({ code: 0, err: expect.stringContaining(`already under way: run ${id}`) })
    expect((await runs()).at(-1)).toMatchObject({ id, state: 'done', walked: 10 })
  })

  test('--no-wait requests it, warns that nobody is there, and a second one is refused with its number', async () => {
    const first = await sluice('backfill', 'city', '--no-wait')
    expect(first).toMatchObject({ code: 0, err: expect.stringContaining('start one with sluice run') })
    const id = /^run (\d+): backfill of city is requested: 0 of about 2,000 /m.exec(first.out)?.[1]
    const second = await sluice('backfill', 'city', '--no-wait')
    expect(second).toMatchObject({ code: 1, err: expect.stringContaining(`already under way: run ${id}`) })
    expect(await sluice('runs', 'cancel', `${id}`)).toMatchObject({
      code: 0,
      out: `run ${id} is cancelled\n`,
    })
    expect(await sluice('runs', 'cancel', `${id}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('cancelled'),
    })
    expect(await sluice('runs', 'watch', `${id}`)).toMatchObject({ code: 1 })
    const listed = await sluice('runs', '--json')
    expect(JSON.parse(listed.out).runs[0]).toMatchObject({ id, document: 'city', state: 'cancelled' })
  })

  test('a request for something else than what is under way is refused, and says what that is', async () => {
    const { out } = await sluice('backfill', 'city', '--where', 'id <= 5', '--no-wait')
    const id = /^run (\d+): backfill of city is requested: 0 of about 5 /m.exec(out)?.[1]
    const other = await sluice('backfill', 'city')
    expect(other.err).toMatch(
      new RegExp(
        `city: nothing was requested, for another run is under way: run ${id}, a backfill ` +
          `{"where":"id <= 5"} requested by \\S+; ask again when it has ended .*sluice runs cancel ${id}`,
      ),
    )
    expect(other.code).toBe(1)
    expect((await sluice('runs')).out).toMatch(
      new RegExp(`${id} +backfill +city +requested .* waits for a daemon that works on city: sluice run`),
    )
    expect(JSON.parse((await sluice('runs', 'show', `${id}`, '--json')).out).runs).toMatchObject([
      { id, waitsFor: 'a daemon that works on city: sluice run', total: 5, totalIsExact: false },
    ])
    expect((await sluice('backfill', 'city', '--where', 'id <= 5')).code).toBe(0)
    const shown = await sluice('runs', 'show', `${id}`)
    expect(shown.out).toMatch(
      /^run \d+: backfill of city is done: 5 keys[\s\S]*\nrequested .* by \S+@\S+\noptions: \{"where":"id <= 5"\}\nstarted /,
    )
  })

  test('optimize does all documents, and says what it found', async () => {
    const { code, out } = await sluice('optimize', '--threshold', '1', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      runs: ['city', 'line'].map((document) => ({
        kind: 'optimize',
        document,
        state: 'done',
        options: { threshold: 1 },
        existing: false,
        result: { optimize: { indices: 1, merged: 0, failed: 0 } },
      })),
    })
    expect(await sluice('optimize', 'line', '--threshold', '0')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^run \d+: optimize of line is done in .*: .* of 1 ind(ex|ices) /),
    })
  })

  test('a definition that is not the installed one is refused: nobody would ever execute the run', async () => {
    const documents = { city: { table: 'city', index: `${search.prefix}city`, omit: ['name'] } }
    await writeFile(join(folder, 'other.json'), JSON.stringify({ documents }))
    const before = await runs()
    const { code, err } = await sluice('backfill', 'city', '--config', 'other.json')
    expect(err).toContain(
      'documents.city: no daemon works on it, and its definition here is not the installed one',
    )
    expect(code).toBe(2)
    expect(await runs()).toEqual(before)
  })
})

describe('with a daemon', () => {
  async function daemon(): Promise<Started> {
    const started = start('run')
    await eventually(
      async () =>
        (await db.pool.query('SELECT FROM sluice.sync_workers WHERE alive AND pid = $1', [started.child.pid]))
          .rowCount === 1,
      { describe: started.said },
    )
    return started
  }

  test('that is killed, another goes on with its run once its heartbeat is old; backfill watches it', async () => {
    const first = await daemon()
    const watching = start('backfill', 'city')
    const blocker = await db.pool.connect()
    try {
      // The walk waits for the table, so that the run stands at its beginning.
      await blocker.query('BEGIN; LOCK TABLE city IN ACCESS EXCLUSIVE MODE')
      await eventually(async () => (await runs()).at(-1)?.state === 'running', { describe: watching.said })
      first.child.kill('SIGKILL')
      await first.ended
    } finally {
      await blocker.query('ROLLBACK')
      blocker.release()
    }
    const second = await daemon()
    await db.pool.query(
      "UPDATE sluice.sync_run SET heartbeat_at = heartbeat_at - interval '1 minute' WHERE state = 'running'",
    )
    const done = await watching.ended
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining('2,000 updated') })
    expect(done.err).not.toContain('no daemon')
    second.child.kill('SIGTERM')
    expect((await second.ended).code).toBe(0)
  })
})

test.each<[readonly string[], RegExp]>([
  [['backfill'], /which document\?/],
  [['backfill', 'city', '--all'], /not both/],
  [['backfill', 'ctiy'], /no document "ctiy" is installed \(did you mean "city"\?\)/],
  [['backfill', 'city', 'ctiy'], /no document "ctiy"/],
  [['backfill', 'city', '--since', '2 hours'], /--since: needs --column/],
  [['backfill', 'city', '--where', 'nmae = 1'], /--where/],
  [['backfill', 'city', '--tenant', '1'], /--tenant: city has no "tenant" in its definition/],
  [['optimize', 'ctiy'], /no document "ctiy"/],
  [['optimize', '--threshold', '20%'], /A share from 0 to 1/],
  [['runs', 'watch', '99999'], /there is no run 99999/],
  [['runs', 'show', '99999'], /there is no run 99999/],
  [['runs', 'cancel', 'x'], /It is a number/],
  [['runs', '--limit', '0'], /A number from 1/],
])('%j is wrong usage, and starts nothing', async (args, message) => {
  const before = await runs()
  const { code, err } = await sluice(...args)
  expect(err).toMatch(message)
  expect(code).toBe(2)
  expect(await runs()).toEqual(before)
})
