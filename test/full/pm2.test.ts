import { cp, mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandWorld, commandWorld } from '../integration/cli-support.ts'
import { npmTool } from '../support/checkers.ts'
import { compare } from '../support/compare.ts'
import { eventually } from '../support/eventually.ts'
import { runTool } from '../support/servers/run-tool.ts'

/** deploy/pm2, really run: three daemons, reloaded while an application writes. */

const repository = join(import.meta.dirname, '../..')

let world: CommandWorld
let pm2: (...args: readonly string[]) => Promise<string>

beforeAll(async () => {
  world = await commandWorld()
  const { place, db, search } = world
  await db.pool.query('CREATE TABLE item (id bigint PRIMARY KEY, name text NOT NULL)')
  const item = { table: 'item', index: `${search.prefix}items`, settings: { number_of_replicas: 0 } }
  await place.write('sluice.config.json', JSON.stringify({ documents: { item } }))
  const { code, stderr } = await place.sluice(['install'])
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const bin = await npmTool('pm2', '7.0.4')
  await installIn(place.folder)
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: place.folder,
    PM2_HOME: join(place.folder, 'pm2'),
    PM2_DISABLE_VERSION_CHECK: 'true',
    DATABASE_URL: db.url,
    ELASTICSEARCH_URL: search.url,
  }
  pm2 = (...args) => runTool(join(bin, 'pm2'), args, { cwd: place.folder, env })
}, 600_000)
afterAll(async () => {
  // Ends the daemons, and pm2's own.
  await pm2('kill')
  await world.drop()
})

/** The package, built, where npm would put it. */
async function installIn(folder: string): Promise<void> {
  const target = join(folder, 'node_modules/sluice')
  await mkdir(target, { recursive: true })
  const tsc = join(repository, 'node_modules/.bin/tsc')
  await runTool(
    process.execPath,
    [
      ...[tsc, '-p', 'tsconfig.build.json', '--outDir', join(target, 'dist')],
      ...['--rootDir', 'src', '--declaration', 'false'],
    ],
    { cwd: repository },
  )
  for (const name of ['package.json', 'migrations', 'deploy'])
    await cp(join(repository, name), join(target, name), { recursive: true })
  await symlink(join(repository, 'node_modules'), join(target, 'node_modules'))
}

interface Listed {
  readonly pid: number
  readonly pm2_env: { readonly status: string; readonly restart_time: number }
}

async function listed(): Promise<readonly Listed[]> {
  const text = await pm2('jlist')
  const daemons: readonly Listed[] = JSON.parse(text.slice(text.indexOf('[{')))
  return daemons
}

async function workers(state: string): Promise<number> {
  const { rows } = await world.db.pool.query('SELECT FROM sluice.sync_worker WHERE state = $1', [state])
  return rows.length
}

test('three daemons start, and are reloaded under writes without a loss', { timeout: 300_000 }, async () => {
  const { pool } = world.db
  // Ends when all three have said that they are ready.
  await pm2('start', 'node_modules/sluice/deploy/pm2/ecosystem.config.cjs')
  expect(await workers('running')).toBe(3)
  const before = await listed()
  expect(before.map(({ pm2_env }) => pm2_env.status)).toEqual(['online', 'online', 'online'])

  let writing = true
  let written = 0
  const write = async () => {
    for (let n = 1; writing; n += 1) {
      await pool.query(
        `INSERT INTO item SELECT id, $1 FROM generate_series($2::bigint, $2 + 9) id
         ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
        [`name ${n}`, (n * 7) % 500],
      )
      await pool.query('DELETE FROM item WHERE id = $1', [(n * 11) % 500])
      written += 11
    }
  }
  const writer = write()
  try {
    await eventually(() => written > 500)
    await pm2('reload', 'sluice', '--parallel', '1')
  } finally {
    writing = false
    await writer
  }
  // Each drained (SIGKILL would have left its state as it was), and another has taken its place.
  expect(await workers('stopped')).toBe(3)
  expect(await workers('running')).toBe(3)
  const after = await listed()
  expect(after.map(({ pm2_env }) => pm2_env)).toEqual([
    expect.objectContaining({ status: 'online', restart_time: 1 }),
    expect.objectContaining({ status: 'online', restart_time: 1 }),
    expect.objectContaining({ status: 'online', restart_time: 1 }),
  ])
  const pids = new Set([...before, ...after].map(({ pid }) => pid))
  expect(pids.size).toBe(6)

  await eventually(async () => (await pool.query('SELECT FROM sluice.sync_queue')).rows.length === 0)
  const comparison = await compare({
    pool,
    elasticsearch: world.search.url,
    index: `${world.search.prefix}items`,
    truth: 'SELECT id::text, row_to_json(item) AS document FROM item',
  })
  expect(comparison).toMatchObject({ missing: 0, stale: 0, extra: 0 })
  expect(comparison.documents).toBeGreaterThan(0)
  const failed = await pool.query('SELECT FROM sluice.sync_failed')
  expect(failed.rows).toHaveLength(0)

  await pm2('stop', 'sluice')
  expect(await workers('running')).toBe(0)
})
