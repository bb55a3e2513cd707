import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import {
  ConfigError,
  createSluice,
  FailedError,
  SchemaError,
  type Sluice,
  statusJson,
  TimeoutError,
  UnreachableError,
  UsageError,
} from '../../src/index.ts'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'

/** createSluice(): sluice inside an application. */

const search = testElasticsearch()
const index = `${search.prefix}cities`
/** Nothing of the machine's own environment, and no file of this folder. */
const env = { ADMIN_PORT: 'off' }
let database: TestDatabase
let sluice: Sluice
let others: Sluice[] = []

const create = (change: object = {}) =>
  createSluice({
    env,
    config: {
      connection: { postgres: database.url, elasticsearch: search.url },
      limits: { requestTimeout: 20_000 },
      documents: {
        city: {
          table: 'city',
          index,
          // Nobody refreshes but who is asked to.
          settings: { refresh_interval: '-1' },
          // Takes 32,766 bytes.
          mappings: { properties: { name: { type: 'keyword' } } },
          relations: { country: { one: 'country', fields: ['name'] } },
        },
      },
      ...change,
    },
  })

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(`
    CREATE TABLE country (code text PRIMARY KEY, name text);
    CREATE TABLE city (id int PRIMARY KEY, name text, country_code text REFERENCES country);
    CREATE INDEX ON city (country_code);
    INSERT INTO country VALUES ('ch', 'Schweiz');
    INSERT INTO city SELECT n, 'city ' || n, 'ch' FROM generate_series(1, 250) n`)
  sluice = create()
  const { runs } = await sluice.install()
  expect(runs).toMatchObject([{ document: 'city', kind: 'backfill' }])
  await sluice.start()
  expect(await sluice.drain({ timeout: 30_000 })).toEqual({ dead: [] })
})
afterEach(async () => {
  await Promise.all(others.map((other) => other.stop()))
  others = []
})
afterAll(async () => {
  await sluice.stop()
  await search.drop()
  await database.drop()
})

/** Writes as an application does, and makes the token in the same statement. */
async function write(sql: string): Promise<string> {
  await database.pool.query(sql)
  const { rows } = await database.pool.query<{ token: string }>('SELECT sluice.sync_token() AS token')
  return rows[0]?.token ?? ''
}

/** Documents that a search finds; without a query all. */
async function found(query: object = { match_all: {} }): Promise<number> {
  const answer = await search.request('POST', `/${index}/_search`, { size: 0, track_total_hits: true, query })
  return (answer as { hits: { total: { value: number } } }).hits.total.value
}

const named = (name: string) => ({ term: { name } })

describe('synced()', () => {
  test('resolves when the write is in Elasticsearch, and with a refresh when it is found', async () => {
    await sluice.synced(await write(`INSERT INTO city VALUES (1001, 'Bern', 'ch')`), { refresh: true })
    expect(await found(named('Bern'))).toBe(1)
    await sluice.synced(await write(`UPDATE city SET name = 'Basel' WHERE id = 1001`))
    const answer = await search.request('GET', `/${index}/_doc/1001`)
    expect(answer).toMatchObject({ _source: { name: 'Basel' } })
    expect(await found(named('Basel'))).toBe(0)
    await sluice.synced(await write('DELETE FROM city WHERE id = 1001'), { refresh: true, document: 'city' })
    expect(await found(named('Bern'))).toBe(0)
  })

  test('waits for a fan-out: 250 documents of one renamed country', async () => {
    for (const name of ['Suisse', 'Svizzera', 'Svizra']) {
      await sluice.synced(await write(`UPDATE country SET name = '${name}' WHERE code = 'ch'`), {
        refresh: true,
      })
      const answer = await search.request('POST', `/${index}/_search`, {
        size: 300,
        _source: ['country.name'],
      })
      const { hits } = (answer as { hits: { hits: { _source: { country: { name: string } } }[] } }).hits
      expect(hits.filter(({ _source }) => _source.country.name === name)).toHaveLength(250)
    }
  })

  test('resolves with the documents that were given up', async () => {
    const token = await write(
      `INSERT INTO city VALUES (1002, repeat('x', 40000), 'ch'), (1003, 'Thun', 'ch')`,
    )
    const { dead } = await sluice.synced(token, { refresh: true })
    const immense =
      inject('searchProduct') === 'opensearch' ? 'illegal_argument_exception' : 'document_parsing_exception'
    expect(dead).toMatchObject([{ document: 'city', id: '1002', type: immense }])
    expect(dead[0]?.index).toMatch(index)
    expect(await found(named('Thun'))).toBe(1)
    expect(await sluice.synced(await write('DELETE FROM city WHERE id > 1000'))).toEqual({ dead: [] })
  })

  test('says what is missing when it takes too long, and goes on by itself', async () => {
    await database.pool.query(`SELECT sluice.pause('city')`)
    const token = await write(`INSERT INTO city VALUES (1005, 'Chur', 'ch')`)
    const error = await sluice.synced(token, { timeout: 100 }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({
      message: 'not synced within 100 ms: city: 1 key waits',
      pending: ['city'],
      remedy: 'city is paused: sluice resume city',
    })
    await database.pool.query(`SELECT sluice.resume('city')`)
    expect(await sluice.synced(token)).toEqual({ dead: [] })
  })

  test('refuses what is no token, and a document that is not there', async () => {
    await expect(sluice.synced('yesterday')).rejects.toBeInstanceOf(UsageError)
    await expect(sluice.synced(await sluice.token(), { document: 'town' })).rejects.toBeInstanceOf(UsageError)
  })

  test('needs a connection to Postgres alone, and two grants', async () => {
    const role = `app_${database.url.split('_').at(-1)}`
    await database.pool.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'x';
       GRANT USAGE ON SCHEMA sluice TO ${role};
       GRANT EXECUTE ON FUNCTION sluice.sync_token, sluice.is_synced, sluice.sync_dead, sluice.sync_pending TO ${role}`,
    )
    const postgres = Object.assign(new URL(database.url), { username: role, password: 'x' }).href
    const nobody = 'http://127.0.0.1:1'
    const waiting = createSluice({ env, config: { connection: { postgres, elasticsearch: nobody } } })
    others.push(waiting)
    const token = await write(`UPDATE city SET name = 'Coire' WHERE id = 1005`)
    expect(await waiting.synced(token)).toEqual({ dead: [] })
    expect(await waiting.synced(await waiting.token())).toEqual({ dead: [] })
    await expect(waiting.synced(token, { refresh: true })).rejects.toThrow(
      'permission denied for table sync_index',
    )
    await database.pool.query(`GRANT SELECT ON sluice.sync_index TO ${role}`)
    await expect(waiting.synced(token, { refresh: true })).rejects.toBeInstanceOf(UnreachableError)
    await waiting.stop()
    await database.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  })
})

describe('runs', () => {
  test('resolve with their end', async () => {
    const backfill = await sluice.backfill('city', { where: 'id <= 10' })
    expect(backfill).toMatchObject({ kind: 'backfill', document: 'city', state: 'done', processed: 10 })
    expect(await sluice.verify('city', { repair: 'all' })).toMatchObject({ kind: 'verify', state: 'done' })
  })

  test('are refused with a reason: unknown, badly asked, nobody there to carry them out', async () => {
    await expect(sluice.backfill('town')).rejects.toThrow('no document "town" is installed')
    await expect(sluice.backfill('city', { where: 'nonsense >' })).rejects.toThrow('--where')
    await expect(sluice.backfill('city', { column: 'id' })).rejects.toBeInstanceOf(UsageError)
  })

  test('do not begin beside another', async () => {
    const [first, second] = await Promise.allSettled([sluice.backfill('city'), sluice.verify('city')])
    const outcomes = [first, second].map((one) => one?.status).toSorted()
    expect(outcomes).toEqual(['fulfilled', 'rejected'])
    const refused = [first, second].find((one) => one?.status === 'rejected')
    expect(String((refused as PromiseRejectedResult).reason)).toMatch(/run \d+ is under way/)
  })
})

describe('a TRUNCATE', () => {
  test('is waited for: nothing is found after it', async () => {
    const token = await write('TRUNCATE city')
    await sluice.synced(token, { timeout: 30_000, refresh: true })
    expect(await found()).toBe(0)
  })
})

test('events tell of batches, of the daemon’s state and of its log', async () => {
  const seen: string[] = []
  const off = sluice.on('batch', ({ document, outcome, done }) => {
    seen.push(`${document} ${outcome} ${done}`)
  })
  await sluice.synced(await write(`INSERT INTO city VALUES (1, 'Bern', 'ch')`))
  await eventually(() => expect(seen).toContain('city settled 1'))
  off()
  const before = seen.length
  await sluice.synced(await write(`UPDATE city SET name = 'Biel' WHERE id = 1`))
  expect(seen).toHaveLength(before)
})

test('what it cannot begin with is an error of ours', async () => {
  const of = (config: object | string) => {
    const made = createSluice({ env, config })
    others.push(made)
    return made
  }
  await expect(of('none.config.ts').status()).rejects.toBeInstanceOf(ConfigError)
  await expect(of({}).token()).rejects.toThrow('DATABASE_URL: is missing')
  await expect(of({ connection: { postgres: database.url } }).start()).rejects.toThrow('documents')
  await expect(of({ connection: { postgres: 'postgres://127.0.0.1:1/x' } }).token()).rejects.toBeInstanceOf(
    UnreachableError,
  )
  others.push(create({ schema: 'elsewhere' }))
  await expect(others.at(-1)?.status()).rejects.toBeInstanceOf(SchemaError)
})

test('two instances in one process share the work and end apart; what waits is told of the end', async () => {
  const second = create({ instance: 'second' })
  others.push(second)
  const states: string[] = []
  const lines: string[] = []
  second.on('state', ({ state }) => states.push(state))
  second.on('log', ({ level, message }) => lines.push(`${level} ${message}`))
  await second.start()
  await eventually(() => expect(states.at(-1)).toBe('running'))
  expect(lines).toContain('info joined the database')
  await eventually(async () => {
    const { workers } = statusJson.parse(await second.status())
    expect(workers.filter(({ alive }) => alive)).toHaveLength(2)
  })
  await sluice.stop()
  await second.synced(await write(`INSERT INTO city VALUES (2, 'Genf', 'ch')`), { refresh: true })
  expect(await found(named('Genf'))).toBe(1)

  await database.pool.query(`SELECT sluice.pause('city')`)
  const waiting = second.synced(await write(`INSERT INTO city VALUES (3, 'Zug', 'ch')`))
  const told = waiting.catch((error: unknown) => error)
  await eventually(async () => expect((await second.status()).documents[0]?.pendingKeys).toBe(1))
  await second.stop()
  expect(await told).toBeInstanceOf(FailedError)
  expect(states.slice(-2)).toEqual(['draining', 'stopped'])

  // Without any daemon.
  await database.pool.query(`SELECT sluice.resume('city')`)
  await expect(second.backfill('city')).rejects.toThrow('no daemon works on it')
  await expect(second.drain({ timeout: 50 })).rejects.toThrow('city: 1 key waits')
  await sluice.start()
  expect(await sluice.drain({ timeout: 20_000 })).toEqual({ dead: [] })
})
