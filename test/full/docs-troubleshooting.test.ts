import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type CommandWorld, commandWorld, type Started } from '../integration/cli-support.ts'
import { eventually } from '../support/context.ts'

/**
 * docs/troubleshooting.md, by somebody who has that page alone: something is broken, the symptom is looked up, and what the
 * page says under its heading is typed as it stands there. The tests follow each other.
 */

const page = await readFile(join(import.meta.dirname, '../../docs/troubleshooting.md'), 'utf8')

/** The command under a heading that begins so, as it is written. Fails where the page has none. */
function told(heading: string, beginning: string): string {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const found = [...section.matchAll(/`([^`\n]+)`/g)]
    .map(([, code = '']) => code)
    .find((code) => code === beginning || code.startsWith(`${beginning} `))
  expect(found, `"${beginning}" under "${heading}"`).toBeDefined()
  return found ?? ''
}

// A command takes seconds on a busy machine, and each test has several.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 })

let world: CommandWorld
let index: string
let daemon: Started

beforeAll(async () => {
  world = await commandWorld()
  index = `${world.search.prefix}cities`
  await world.db.pool.query(
    `CREATE TABLE city (id int PRIMARY KEY, name text NOT NULL);
     INSERT INTO city SELECT n, 'city ' || n FROM generate_series(1, 200) n`,
  )
  const city = { table: 'city', index, settings: { number_of_replicas: 0 } }
  await world.place.write('sluice.config.json', JSON.stringify({ documents: { city } }))
  await type('sluice install')
  daemon = world.place.start(['run'])
  await shows(42, 'city 42')
  await quiet()
})
afterAll(() => world?.drop())

/** Runs a line of the page; it has to end with this code. */
async function type(line: string, wanted = 0): Promise<string> {
  const run = await lastRun()
  const words = line.split(/\s+/).slice(1)
  const { code, stdout, stderr } = await world.place.sluice(words.map((word) => (word === '12' ? run : word)))
  expect(code, `${line}\n${stdout}${stderr}`).toBe(wanted)
  return stdout + stderr
}

async function lastRun(): Promise<string> {
  const { rows } = await world.db.pool.query<{ name: string | null }>(
    `SELECT to_regclass('sluice.sync_run')::text AS name`,
  )
  if (rows[0]?.name == null) return ''
  const last = await world.db.pool.query<{ id: string }>('SELECT max(id)::text AS id FROM sluice.sync_run')
  return last.rows[0]?.id ?? ''
}

/** No run is under way: of a document there is one at a time. */
const quiet = () =>
  eventually(async () => {
    const { rowCount } = await world.db.pool.query(
      `SELECT FROM sluice.sync_run WHERE state IN ('requested', 'running', 'cancelling')`,
    )
    return rowCount === 0
  }, waiting())

const waiting = () => ({ timeoutMs: 180_000, describe: () => daemon.output() })

async function indexed(id: number): Promise<unknown> {
  const answer = (await world.search.request('GET', `/${index}/_doc/${id}`)) as { _source?: { name: string } }
  return answer._source?.name ?? null
}
const shows = (id: number, name: string | null) =>
  eventually(async () => expect(await indexed(id)).toBe(name), waiting())

/** As a session that no trigger sees. */
async function unseen(sql: string): Promise<void> {
  const client = await world.db.pool.connect()
  await client.query(`SET session_replication_role = replica`)
  await client.query(sql)
  await client.query('RESET session_replication_role')
  client.release()
}

test('a change is not in the index', async () => {
  await unseen(`UPDATE city SET name = 'unseen' WHERE id = 42`)
  const heading = 'A change is not in the index'
  expect(await type(told(heading, 'sluice inspect'), 3)).toContain('unseen')
  expect(await type(told(heading, 'sluice preview'))).toContain('unseen')
  await type(told(heading, 'sluice verify'))
  await shows(42, 'unseen')
})

test('a document is in the index and its row is gone, and the alert of it', async () => {
  await unseen('DELETE FROM city WHERE id = 41')
  const heading = 'A document is in the index and its row is gone'
  expect(await type(told(heading, 'sluice verify'), 3)).toContain('41')
  await eventually(async () => expect(await type('sluice status')).toContain('drift'), waiting())
  await type(told('The alert `drift` stands', 'sluice verify'))
  await shows(41, null)
  await eventually(async () => expect(await type('sluice status')).not.toContain('drift'), waiting())
})

test('nothing moves: somebody paused it', async () => {
  await type('sluice pause city')
  await world.db.pool.query(`UPDATE city SET name = 'later' WHERE id = 1`)
  expect(await type('sluice status')).toContain('paused')
  await type(told('Nothing moves', 'sluice resume'))
  await shows(1, 'later')
})

test('nothing moves: its triggers are off', async () => {
  await type('sluice detach city')
  await world.db.pool.query(`UPDATE city SET name = 'without a mark' WHERE id = 2`)
  expect(await type('sluice status')).toContain('detached')
  await type(told('Nothing moves', 'sluice install'))
  await shows(2, 'without a mark')
  await quiet()
})

test('nothing moves: its index takes no writes', async () => {
  await world.search.request('PUT', `/${index}/_settings`, { 'index.blocks.write': true })
  await world.db.pool.query(`UPDATE city SET name = 'blocked' WHERE id = 3`)
  await eventually(async () => expect(await type('sluice status')).toMatch(/block|no writes/), waiting())
  const line = told('Nothing moves', 'curl').replace('/cities/', `/${index}/`)
  const env = { PATH: process.env.PATH, ELASTICSEARCH_URL: world.search.url }
  const [code] = await once(spawn('bash', ['-c', line], { env, stdio: 'ignore' }), 'close')
  expect(code).toBe(0)
  await shows(3, 'blocked')
})

test('a run does not move, and HTTP does not answer', async () => {
  daemon.process.kill('SIGTERM')
  await daemon.ended
  await unseen(`UPDATE city SET name = 'by a backfill' WHERE id = 4`)
  await type('sluice backfill city --no-wait')
  const heading = 'A run does not move'
  expect(await type(told(heading, 'sluice runs list'))).toContain('requested')
  await type(told(heading, 'sluice runs show'))

  const other = createServer((_, response) => response.end('postgres_exporter')).listen(0, '127.0.0.1')
  await once(other, 'listening')
  const words = told(heading, 'sluice run').split(' ').slice(1)
  daemon = world.place.start(words, { ADMIN_PORT: String((other.address() as AddressInfo).port) })
  await shows(4, 'by a backfill')
  expect(daemon.output()).toContain(told('HTTP does not answer', 'the port is taken: this instance'))
  daemon.process.kill('SIGTERM')
  await daemon.ended
  const [variable = ''] = told('HTTP does not answer', 'ADMIN_PORT=9188').split('=')
  daemon = world.place.start(words, { [variable]: '0' })
  await eventually(() => /http:\/\/127\.0\.0\.1:\d+/.test(daemon.output()), waiting())
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(daemon.output()) ?? []
  expect(await (await fetch(`${url}/ready`)).json()).toMatchObject({ ready: expect.any(Boolean) })
  other.close()
})
