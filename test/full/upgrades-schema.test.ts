import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { compare } from '../support/compare.ts'
import {
  eventually,
  type TestDatabase,
  type TestElasticsearch,
  testDatabase,
  testElasticsearch,
} from '../support/context.ts'
import { runTool } from '../support/servers/run-tool.ts'

/**
 * docs/upgrading.md with schemas that really differ: a release is a copy of the program with migrations of its own. (What
 * each says to the other's schema is test/integration/upgrades.test.ts.)
 */

const repository = join(import.meta.dirname, '../..')

interface Daemon {
  readonly output: () => string
  /** Sends SIGTERM; its exit code. */
  stop(): Promise<number | null>
}

let db: TestDatabase
let search: TestElasticsearch
let scratch: string
const running = new Set<ChildProcess>()
beforeEach(async () => {
  db = await testDatabase()
  search = testElasticsearch()
  scratch = await mkdtemp(join(tmpdir(), 'sluice-releases-'))
  await db.pool.query('CREATE TABLE item (id int PRIMARY KEY, name text, size text)')
  const item = {
    table: 'item',
    index: `${search.prefix}items`,
    mappings: { properties: { name: { type: 'keyword' }, size: { type: 'integer' } } },
  }
  await writeFile(join(scratch, 'sluice.config.json'), JSON.stringify({ documents: { item } }))
})
afterEach(async () => {
  for (const daemon of running) daemon.kill('SIGKILL')
  await rm(scratch, { recursive: true })
  await search.drop()
  await db.drop()
})

/** A release of that name, with those of our migrations that it knows and more of its own. */
async function release(name: string, knows: (file: string) => boolean, more: Record<string, string> = {}) {
  const folder = join(scratch, name)
  await cp(join(repository, 'src'), join(folder, 'src'), { recursive: true })
  await cp(join(repository, 'package.json'), join(folder, 'package.json'))
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'))
  await cp(join(repository, 'migrations'), join(folder, 'migrations'), { recursive: true })
  for (const file of await readdir(join(folder, 'migrations')))
    if (file.endsWith('.sql') && !knows(file)) await rm(join(folder, 'migrations', file))
  for (const [file, sql] of Object.entries(more)) await writeFile(join(folder, 'migrations', file), sql)
  const main = join(folder, 'src/cli/main.ts')
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: db.url,
    ELASTICSEARCH_URL: search.url,
    ADMIN_PORT: 'off',
  }
  return {
    sluice: (...args: readonly string[]) => runTool(process.execPath, [main, ...args], { cwd: scratch, env }),
    run: (instance: string): Daemon => {
      const child = spawn(process.execPath, [main, 'run'], {
        cwd: scratch,
        env: { ...env, SLUICE_INSTANCE: instance },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      running.add(child)
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text
        })
      return {
        output: () => output,
        stop: async () => {
          const closed = once(child, 'close')
          child.kill('SIGTERM')
          await closed
          running.delete(child)
          return child.exitCode
        },
      }
    },
  }
}

const all = () => true
const rows = async (text: string): Promise<unknown[]> => (await db.pool.query(text)).rows

/** Until no mark and no run is left; then every row is its document. */
async function settled(daemon: Daemon): Promise<void> {
  await eventually(
    async () =>
      expect(
        await rows(`SELECT FROM sluice.sync_queue UNION ALL
                    SELECT FROM sluice.sync_run WHERE finished_at IS NULL`),
      ).toEqual([]),
    { timeoutMs: 90_000, describe: () => daemon.output().slice(-3000) },
  )
}

async function same(truth: string): Promise<void> {
  const { missing, stale, extra, examples } = await compare({
    pool: db.pool,
    elasticsearch: search.url,
    index: `${search.prefix}items`,
    truth,
  })
  expect({ missing, stale, extra, examples }).toMatchObject({ missing: 0, stale: 0, extra: 0 })
}
const DOCUMENTS = `SELECT id::text, json_build_object('id', id, 'name', name, 'size', size) AS document FROM item`

test('a schema without the last migration, with marks, a failure and a run in it, is migrated, and the daemon goes on', {
  timeout: 600_000,
}, async () => {
  const old = await release('old', (file) => !file.startsWith('0009'))
  await old.sluice('install')
  await db.pool.query(`INSERT INTO item VALUES (1, 'one', '1'), (2, 'two', 'no number')`)
  const before = old.run('old')
  await eventually(
    async () => expect(await rows('SELECT key, state FROM sluice.sync_failed')).toHaveLength(1),
    { timeoutMs: 60_000, describe: before.output },
  )
  await settled(before)
  expect(await before.stop()).toBe(0)
  await db.pool.query(`INSERT INTO item SELECT n, 'row ' || n, n FROM generate_series(10, 400) n`)
  await db.pool.query(`INSERT INTO sluice.sync_run (kind, document) VALUES ('backfill', 'item')`)
  expect(await rows('SELECT name FROM sluice.sync_migration ORDER BY id DESC LIMIT 1')).toEqual([
    { name: '0008_grants' },
  ])
  expect(await rows('SELECT FROM sluice.sync_queue')).not.toEqual([])

  const now = await release('now', all)
  await expect(now.sluice('status')).rejects.toThrow('0009_views not applied')
  expect(await now.sluice('migrate')).toContain('Applied to schema sluice: 0009_views')
  await now.sluice('install')
  const [failure] = await rows('SELECT key, state FROM sluice.sync_failed')
  expect(failure).toMatchObject({ state: 'dead' })
  expect(
    await rows(`SELECT state FROM sluice.sync_runs WHERE kind = 'backfill' AND finished_at IS NULL`),
  ).toEqual([{ state: 'requested' }])
  const after = now.run('now')
  await settled(after)
  expect(await rows(`SELECT dead::int FROM sluice.sync_stats`)).toEqual([{ dead: 1 }])
  // The row is put right: what failed under the older schema is forgotten.
  await db.pool.query(`UPDATE item SET size = '2' WHERE id = 2`)
  await settled(after)
  expect(await rows('SELECT FROM sluice.sync_failed')).toEqual([])
  await same(DOCUMENTS)
  await now.sluice('verify', 'item', '--deep')
  expect(await after.stop()).toBe(0)
})

test('a migration alters the queue under two daemons that work; they are rolled one by one, and nothing is lost', {
  timeout: 600_000,
}, async () => {
  const old = await release('old', all)
  await old.sluice('install')
  const [a, b] = [old.run('a'), old.run('b')]
  let writing = true
  let written = 0
  const write = async () => {
    for (let n = 1; writing; n += 1) {
      await db.pool.query(
        `INSERT INTO item SELECT id, $1, $2 FROM generate_series($3::int, $3 + 9) id
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, size = excluded.size`,
        [`name ${n}`, String(n), (n * 7) % 500],
      )
      await db.pool.query('DELETE FROM item WHERE id = $1', [(n * 11) % 500])
      written += 1
    }
  }
  /** So that each step has work before and behind it. */
  const more = async (daemon: Daemon) => {
    const seen = written
    await eventually(() => written > seen + 20, { describe: daemon.output })
  }
  const joined = (name: string, daemon: Daemon) =>
    eventually(
      async () =>
        expect(
          await rows(`SELECT FROM sluice.sync_worker WHERE instance = '${name}' AND state = 'running'`),
        ).toHaveLength(1),
      { timeoutMs: 60_000, describe: daemon.output },
    )
  await joined('a', a)
  await joined('b', b)
  const writer = write()
  let last: Daemon
  try {
    await more(a)
    const next = await release('next', all, {
      '9999_weight.sql': 'ALTER TABLE sync_queue ADD COLUMN weight integer NOT NULL DEFAULT 1;',
    })
    expect(await next.sluice('migrate')).toContain('Applied to schema sluice: 9999_weight')
    await next.sluice('install')
    await more(a)
    expect(await a.stop()).toBe(0)
    const a2 = next.run('a')
    await joined('a', a2)
    await more(a2)
    expect(await b.stop()).toBe(0)
    last = next.run('b')
    await joined('b', last)
    await more(last)
  } finally {
    writing = false
    await writer
  }
  await settled(last)
  expect(await rows('SELECT FROM sluice.sync_failed')).toEqual([])
  await same(DOCUMENTS)
})
