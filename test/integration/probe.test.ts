import { afterAll, beforeAll, expect, test } from 'vitest'
import { installedDocument } from '../../src/answers/installed.ts'
import { probeJson } from '../../src/answers/json/probe.ts'
import { type ProbeRequest, probe as probeHere } from '../../src/cli/probe/probe.ts'
import { probeText } from '../../src/cli/probe/probe-text.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { eventually } from '../support/context.ts'
import { type CommandWorld, commandWorld } from './cli-support.ts'

// They follow each other: without a daemon, with one, and what it finds then. A process takes its second, so most are here.

let world: CommandWorld
let elasticsearch: Elasticsearch

beforeAll(async () => {
  world = await commandWorld()
  elasticsearch = connectElasticsearch({ url: world.search.url }, { requestTimeoutMs: 30_000 })
  await world.db.pool.query(`
    CREATE TABLE city (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, touched int NOT NULL DEFAULT 0);
    INSERT INTO city (name) SELECT 'Zürich ' || n FROM generate_series(1, 3) AS n;
    CREATE TABLE nothing (id int PRIMARY KEY);
    CREATE TABLE part (id int PRIMARY KEY, name text, secret text, active boolean);
    INSERT INTO part VALUES (1, 'one', 'x', true), (2, 'two', 'x', false)`)
  await world.place.write(
    'sluice.config.mjs',
    `export default { documents: {
      city: { table: 'city', index: '${world.search.prefix}city' },
      nothing: { table: 'nothing', index: '${world.search.prefix}nothing' },
      part: { table: 'part', index: '${world.search.prefix}part', omit: ['secret'], where: 'active',
        settings: { refresh_interval: '-1' } },
    } }`,
  )
  expect((await world.place.sluice(['install', '--no-backfill'])).code).toBe(0)
})
afterAll(async () => {
  await elasticsearch.close()
  await world.drop()
})

async function command(...args: string[]) {
  const { code, value } = await world.place.json(['probe', ...args])
  return { code, ...probeJson.parse(value) }
}

async function probe(name: string, request: Partial<ProbeRequest> = {}) {
  const database = { pool: world.db.pool, schema: 'sluice' }
  const installed = await installedDocument(database, name)
  const asked = { id: undefined, touch: false, timeoutMs: 60_000, ...request }
  return probeJson.parse(await probeHere({ database, elasticsearch }, installed, asked))
}

async function waiting(): Promise<number> {
  const { rows } = await world.db.pool.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM sluice.sync_queue',
  )
  return rows[0]?.n ?? -1
}

async function indices(): Promise<readonly string[]> {
  const { rows } = await world.db.pool.query<{ name: string }>(
    `SELECT name FROM sluice.sync_index WHERE document = 'city'`,
  )
  return rows.map(({ name }) => name)
}

const orders = [
  ['written', 'committed', 'claimed', 'indexed', 'acknowledged', 'searchable'],
  ['written', 'committed', 'claimed', 'indexed', 'searchable', 'acknowledged'],
]

/** Triggers that are as they should be. */
const untried = { tried: false, enabled: true, gaps: [] }

/** The last line of a probe by enqueue. */
const untriedLine = 'Triggers were not tried (--touch does that): by pg_trigger, '

test('what is not there is wrong usage', async () => {
  expect(await world.place.json(['probe', 'citty'])).toMatchObject({
    code: 2,
    value: { error: { message: expect.stringContaining('"citty"') } },
  })
  await expect(probe('city', { id: '99' })).rejects.toThrow('city 99 cannot come out: no row has this key')
  await expect(probe('nothing')).rejects.toThrow('no document of nothing was found to probe with')
  await expect(probe('part', { id: '2' })).rejects.toThrow(
    'part 2 cannot come out: the condition ("where") leaves its row out',
  )
})

test('Elasticsearch is away: exit code 4', async () => {
  const away = { ELASTICSEARCH_URL: 'http://127.0.0.1:1' }
  expect((await world.place.sluice(['probe', 'city'], away)).code).toBe(4)
  expect(await waiting()).toBe(0)
})

test('no daemon: says so, and writes nothing', async () => {
  expect(await probe('city', { timeoutMs: 1 })).toMatchObject({
    arrived: false,
    by: null,
    legs: [],
    why: ['nothing was sent', 'no daemon is alive: sluice run'],
    triggers: untried,
  })
  expect(await waiting()).toBe(0)
})

test('paused: exit code 3 at once, with the reason, and writes nothing', async () => {
  await world.db.pool.query(`SELECT sluice.pause('city', 'lunch')`)
  const { code, why } = await command('city')
  expect({ code, why: why.slice(0, 2) }).toEqual({
    code: 3,
    why: ['nothing was sent', 'city is paused: lunch'],
  })
  expect(await waiting()).toBe(0)
  await world.db.pool.query(`SELECT sluice.resume('city')`)
})

test('a daemon that starts meanwhile is waited for; the legs come in order: exit code 0', async () => {
  const probing = command('city', '--id', '2', '--timeout', '60')
  const daemon = world.place.start(['run'])
  const found = await probing
  const { code, arrived, by, id, legs, version, index, notes, why, triggers } = found
  expect({ code, arrived, by, id, notes, why, triggers }, daemon.output()).toEqual({
    code: 0,
    arrived: true,
    by: 'enqueue',
    id: '2',
    notes: [],
    why: [],
    triggers: untried,
  })
  expect(probeText(found).split('\n').at(-1)).toBe(`${untriedLine}those of city are there and enabled.`)
  expect(orders).toContainEqual(legs.map(({ name }) => name))
  expect(legs.map(({ atMs }) => atMs)).toEqual(legs.map(({ atMs }) => atMs).sort((a, b) => a - b))
  expect(legs.every(({ tookMs }) => tookMs >= 0)).toBe(true)
  expect(await elasticsearch.get(index ?? '', '2')).toMatchObject({ found: true, version })
  expect(await waiting()).toBe(0)
})

test('--touch goes through the triggers, and changes nothing', async () => {
  const { rows: before } = await world.db.pool.query('SELECT * FROM city ORDER BY id')
  const [index = ''] = await indices()
  const { version } = await elasticsearch.get(index, '2')
  const found = await probe('city', { touch: true })
  expect(BigInt(found.version ?? 0)).toBeGreaterThan(BigInt(version ?? 0))
  const { arrived, by, id, legs, notes, triggers } = found
  expect({ arrived, by, id, notes, triggers }).toEqual({
    arrived: true,
    by: 'trigger',
    id: '2',
    notes: [],
    triggers: { tried: true, enabled: true, gaps: [] },
  })
  expect(orders).toContainEqual(legs.map(({ name }) => name))
  expect((await world.db.pool.query('SELECT * FROM city ORDER BY id')).rows).toEqual(before)
  expect(probeText(found)).toMatch(/^city 2\nleg +took +at\nwritten .* triggers included\ncommitted /)
  expect(probeText(found)).toMatch(/It arrived in .*\.$/)
})

test('triggers that are off: a mark of enqueue arrives all the same, and the exit code is 3; --touch takes its UPDATE back', async () => {
  const gaps = [
    expect.stringMatching(
      /^changes of (public\.)?city, where triggers are gone or switched off \(sluice install\)$/,
    ),
  ]
  await world.db.pool.query('ALTER TABLE city DISABLE TRIGGER USER')
  try {
    const found = await command('city', '--timeout', '60')
    expect(found).toMatchObject({ arrived: true, by: 'enqueue', why: [], code: 3 })
    expect(found.triggers).toEqual({ tried: false, enabled: false, gaps })
    expect(probeText(found).split('\n').at(-1)).toContain(
      `${untriedLine}some of city are gone or off. What goes by without a mark: changes of `,
    )
    // Of another document nothing is gone.
    expect(await probe('part', { id: '1', timeoutMs: 1 })).toMatchObject({ triggers: untried })
    const touched = await probe('city', { touch: true })
    expect(touched).toMatchObject({ arrived: false, why: [expect.stringContaining('sluice doctor')] })
    expect(touched.triggers).toEqual({ tried: true, enabled: false, gaps })
  } finally {
    await world.db.pool.query('ALTER TABLE city ENABLE TRIGGER USER')
  }
})

test('columns left out: says that triggers were not measured; no refresh: says that searches do not see it', async () => {
  // A second is enough, unless the machine has other things to do.
  const { by, legs, notes, why, index, triggers } = await eventually(async () => {
    const found = await probe('part', { touch: true, timeoutMs: 1000 })
    return found.legs.some(({ name }) => name === 'acknowledged') ? found : null
  })
  expect({ by, triggers }).toEqual({ by: 'enqueue', triggers: untried })
  expect(legs.map(({ name }) => name)).toEqual(['written', 'committed', 'claimed', 'indexed', 'acknowledged'])
  expect(notes).toEqual([expect.stringContaining('our triggers were not measured')])
  expect(why).toEqual([expect.stringContaining(`the refresh_interval of ${index} is -1`)])
})
