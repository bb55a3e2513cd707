import { afterAll, beforeAll, expect, test } from 'vitest'
import { probeJson } from '../../src/cli/json/probe.ts'
import { eventually } from '../support/context.ts'
import { type CommandWorld, commandWorld, type Started } from './cli-support.ts'

// They follow each other: without a daemon, with one, and what it finds then.

let world: CommandWorld
let daemon: Started | undefined

beforeAll(async () => {
  world = await commandWorld()
  await world.db.pool.query(`
    CREATE TABLE city (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, touched int NOT NULL DEFAULT 0);
    INSERT INTO city (name) SELECT 'Zürich ' || n FROM generate_series(1, 3) AS n;
    CREATE TABLE part (id int PRIMARY KEY, name text, secret text, active boolean);
    INSERT INTO part VALUES (1, 'one', 'x', true), (2, 'two', 'x', false)`)
  await world.place.write(
    'sluice.config.mjs',
    `export default { documents: {
      city: { table: 'city', index: '${world.search.prefix}city' },
      part: { table: 'part', index: '${world.search.prefix}part', omit: ['secret'], where: 'active',
        settings: { refresh_interval: '-1' } },
    } }`,
  )
  expect((await world.place.sluice(['install', '--no-backfill'])).code).toBe(0)
})
afterAll(() => world.drop())

async function probe(...args: string[]) {
  const { code, value } = await world.place.json(['probe', ...args])
  return { code, ...probeJson.parse(value) }
}

async function refused(...args: string[]) {
  const { code, value } = await world.place.json(['probe', ...args])
  return { code, message: (value as { error: { message: string } }).error.message }
}

async function waiting(): Promise<number> {
  const { rows } = await world.db.pool.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM sluice.sync_queue',
  )
  return rows[0]?.n ?? -1
}

const orders = [
  ['written', 'committed', 'claimed', 'indexed', 'acknowledged', 'searchable'],
  ['written', 'committed', 'claimed', 'indexed', 'searchable', 'acknowledged'],
]

test('what is not there is wrong usage', async () => {
  expect(await refused('citty')).toMatchObject({ code: 2, message: expect.stringContaining('"citty"') })
  expect(await refused('city', '--id', '99')).toEqual({
    code: 2,
    message: 'city 99 cannot come out: no row has this key',
  })
  const left = await refused('part', '--id', '2')
  expect(left.message).toBe('part 2 cannot come out: the condition ("where") leaves its row out')
})

test('no daemon: exit code 3, says so, and writes nothing', async () => {
  expect(await probe('city', '--timeout', '1')).toMatchObject({
    code: 3,
    arrived: false,
    by: null,
    legs: [],
    why: ['nothing was sent', 'no daemon is alive: sluice run'],
  })
  expect(await waiting()).toBe(0)
})

test('paused: exit code 3 at once, with the reason, and writes nothing', async () => {
  await world.db.pool.query(`SELECT sluice.pause('city', 'lunch')`)
  const { code, why } = await probe('city')
  expect({ code, why: why.slice(0, 2) }).toEqual({
    code: 3,
    why: ['nothing was sent', 'city is paused: lunch'],
  })
  expect(await waiting()).toBe(0)
  await world.db.pool.query(`SELECT sluice.resume('city')`)
})

test('a daemon that starts meanwhile is waited for; the legs come in order', async () => {
  const probing = probe('city', '--id', '2', '--timeout', '60')
  daemon = world.place.start(['run'])
  const { code, arrived, by, id, legs, version, index, notes, why } = await probing
  expect({ code, arrived, by, id, notes, why }, daemon.output()).toEqual({
    code: 0,
    arrived: true,
    by: 'enqueue',
    id: '2',
    notes: [],
    why: [],
  })
  expect(orders).toContainEqual(legs.map(({ name }) => name))
  expect(legs.map(({ atMs }) => atMs)).toEqual(legs.map(({ atMs }) => atMs).sort((a, b) => a - b))
  expect(legs.every(({ tookMs }) => tookMs >= 0)).toBe(true)
  const stored = await world.search.request('GET', `/${index}/_doc/2`)
  expect(String((stored as { _version: unknown })._version)).toBe(version)
  expect(await waiting()).toBe(0)
})

test('--touch goes through the triggers, and changes nothing', async () => {
  const before = await world.db.pool.query('SELECT * FROM city ORDER BY id')
  const { code, by, id, legs, notes } = await probe('city', '--touch', '--timeout', '60')
  expect({ code, by, id, notes }).toEqual({ code: 0, by: 'trigger', id: '2', notes: [] })
  expect(orders).toContainEqual(legs.map(({ name }) => name))
  expect((await world.db.pool.query('SELECT * FROM city ORDER BY id')).rows).toEqual(before.rows)
})

test('--touch finds triggers that are off, and takes its UPDATE back', async () => {
  await world.db.pool.query('ALTER TABLE city DISABLE TRIGGER USER')
  const { code, arrived, why } = await probe('city', '--touch')
  await world.db.pool.query('ALTER TABLE city ENABLE TRIGGER USER')
  expect({ code, arrived }).toEqual({ code: 3, arrived: false })
  expect(why).toEqual([expect.stringContaining('sluice doctor')])
})

test('indexed, and never searchable: says by which setting; columns left out: that triggers were not measured', async () => {
  const { code, by, legs, notes, why, index } = await probe('part', '--touch', '--timeout', '3')
  expect({ code, by }).toEqual({ code: 3, by: 'enqueue' })
  expect(legs.map(({ name }) => name)).toEqual(['written', 'committed', 'claimed', 'indexed', 'acknowledged'])
  expect(notes).toEqual([expect.stringContaining('our triggers were not measured')])
  expect(why).toEqual([expect.stringContaining(`the refresh_interval of ${index} is -1`)])
})

test('for people', async () => {
  const text = await eventually(async () => {
    const { stdout } = await world.place.sluice(['probe'])
    return stdout.includes('It arrived in') ? stdout : null
  })
  expect(text).toMatch(/^city 2\nleg +took +at\nwritten .*\ncommitted .*\nclaimed /)
})
