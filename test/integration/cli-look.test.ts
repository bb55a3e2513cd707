import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enqueueJson } from '../../src/answers/json/enqueue.ts'
import { eventually } from '../support/context.ts'
import { looks } from './cli-look-world.ts'
import { type CommandWorld, commandWorld } from './cli-support.ts'

// No daemon runs in most of these tests: what they look at stays as it is. They follow each other within a describe.

let world: CommandWorld
let elasticsearch: CommandWorld['search']
let database: CommandWorld['db']
let place: CommandWorld['place']
const { config, begin, install, preview, inspect, status } = looks(() => world)

beforeAll(async () => {
  world = await commandWorld()
  ;({ search: elasticsearch, db: database, place } = world)
})
afterAll(() => world.drop())

describe('before install', () => {
  beforeAll(begin)

  it('preview computes a document, and leaves nothing behind', async () => {
    const { from, address, document, problem, sql } = await preview('city', '1')
    expect({ from, address, document, problem }).toEqual({
      from: 'configuration',
      address: { index: `${elasticsearch.prefix}city`, id: '1' },
      document: { id: 1, name: 'Zürich', big: 12.5, day: '2026-01-01', active: true },
      problem: null,
    })
    expect(sql.view).toContain('CREATE VIEW "sluice"."document_city"')
    const { rows } = await database.pool.query(
      `SELECT count(*)::int AS n FROM pg_class WHERE relname LIKE 'document_%'`,
    )
    expect(rows).toEqual([{ n: 0 }])
  })

  it('preview takes ids as they are in Elasticsearch', async () => {
    const { key, document } = await preview('pair', 'x%3Ay%25:1')
    expect({ key, document }).toEqual({ key: '["x:y%", "1"]', document: { a: 'x:y%', b: 1 } })
    expect((await preview('city', '01')).address.id).toBe('1')
  })

  it('preview says why there is no document', async () => {
    const { problem } = await preview('city', '2')
    expect(problem).toBe('there is no document: the condition ("where") leaves its row out')
  })

  it('migrate creates the schema, and then has nothing to do', async () => {
    expect(await place.json(['migrate'])).toMatchObject({ code: 0, value: { schema: 'sluice' } })
    expect((await place.sluice(['migrate'])).stdout).toBe('Schema sluice is up to date.\n')
  })

  it('status says what is not installed', async () => {
    expect(await status()).toMatchObject({ documents: [], notInstalled: ['city', 'pair'], indices: [] })
  })
})

describe('preview', () => {
  beforeAll(async () => {
    await begin()
    await install()
  })

  it('keeps numbers as Postgres has them', async () => {
    await database.pool.query('UPDATE geo.city SET big = 9007199254740993.10 WHERE id = 4')
    expect((await place.sluice(['preview', 'city', '4', '--json'])).stdout).toContain(
      '"big": 9007199254740993.10',
    )
    expect((await place.sluice(['preview', 'city', '4'])).stdout).toContain('"big": 9007199254740993.10')
  })

  it('says why there is no document', async () => {
    const left = await preview('city', '2')
    expect(left).toMatchObject({ from: 'installed', document: null })
    expect(left.problem).toBe('there is no document: the condition ("where") leaves its row out')
    expect((await preview('city', '99')).problem).toBe('there is no document: no row has this key')
  })

  it('says why a document would be refused', async () => {
    await database.pool.query(`UPDATE geo.city SET day = 'infinity' WHERE id = 3`)
    expect((await preview('city', '3')).problem).toContain('day')
  })

  it('says what Elasticsearch would say of a name that stands twice', async () => {
    await database.pool.query(`
      ALTER TABLE pair ADD COLUMN raw json;
      INSERT INTO pair (a, b, raw) VALUES ('two', 1, '{"tags": [{"x": 1}, {"x": 1, "\\u0078": 2}]}')`)
    await install()
    const { document, problem } = await preview('pair', 'two:1')
    expect(document).toMatchObject({ raw: { tags: [{ x: 1 }, { x: 2 }] } })
    expect(problem).toMatch(/^"raw\.tags\.1\.x" stands twice in it: .*\(Duplicate field 'x'\)/)
    const answer = await fetch(new URL(`/${elasticsearch.prefix}said/_doc/1`, elasticsearch.url), {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"raw":{"tags":[{"x":1},{"x":1,"x":2}]}}',
    })
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringContaining("Duplicate field 'x'"),
    ])
  })

  it('shows what the configuration would make of it, where that is not what is installed', async () => {
    await place.write('sluice.config.mjs', config(`fields: { title: { sql: 'upper(name)' } }`))
    expect(await preview('city', '1')).toMatchObject({ from: 'configuration', document: { title: 'ZÜRICH' } })
  })
})

describe('operating', () => {
  beforeAll(async () => {
    await begin()
    await install()
  })

  it('enqueue marks keys, each once and in the form they have in the database', async () => {
    const { value } = await place.json(['enqueue', 'city', '1', '01', '99'])
    expect(enqueueJson.parse(value)).toEqual({ document: 'city', keys: ['1', '99'] })
    await place.sluice(['enqueue', 'pair', 'x%3Ay%25:1'])
    const { rows } = await database.pool.query(
      'SELECT document, lane, op, keys FROM sluice.sync_queue ORDER BY document',
    )
    expect(rows).toEqual([
      { document: 'city', lane: 0, op: 'enqueue', keys: ['1', '99'] },
      { document: 'pair', lane: 0, op: 'enqueue', keys: ['["x:y%", "1"]'] },
    ])
  })

  it('pause and resume change the state, and status shows it', async () => {
    expect((await place.sluice(['pause', 'city', '--reason', 'lunch'])).code).toBe(0)
    expect((await status()).documents[0]).toMatchObject({ name: 'city', state: 'paused', reason: 'lunch' })
    expect((await place.json(['resume', 'city'])).value).toEqual({
      document: 'city',
      state: 'active',
      released: 0,
    })
    expect((await status()).documents[0]).toMatchObject({ name: 'city', state: 'active', reason: null })
  })

  it('a detached document cannot be resumed: exit code 1, and what to do', async () => {
    await database.pool.query(`SELECT sluice.detach('pair')`)
    const { code, stderr } = await place.sluice(['resume', 'pair'])
    expect(stderr).toContain('error: document "pair" is detached')
    expect(stderr).toContain('→ Its triggers are gone: run sluice install')
    expect(code).toBe(1)
  })
})

describe('status', () => {
  beforeAll(async () => {
    await begin()
    expect((await place.sluice(['install'])).code).toBe(0)
  })

  it('shows documents, pending keys, runs and indices', async () => {
    await database.pool.query(`UPDATE geo.city SET name = upper(name) WHERE id < 3`)
    const { documents, notInstalled, workers, runs, indices } = await status()
    expect(documents).toMatchObject([
      { name: 'city', state: 'active', pendingKeys: 2, attended: false, definition: 'installed' },
      { name: 'pair', pendingKeys: 0 },
    ])
    expect({ notInstalled, workers }).toEqual({ notInstalled: [], workers: [] })
    expect(runs).toMatchObject([
      { kind: 'backfill', document: 'city', state: 'requested' },
      { kind: 'backfill', document: 'pair', state: 'requested' },
    ])
    expect(indices).toMatchObject([
      { alias: `${elasticsearch.prefix}city`, role: 'live' },
      { alias: `${elasticsearch.prefix}pair`, role: 'live' },
    ])
    const text = (await place.sluice(['status'])).stdout
    expect(text).toMatch(/^document +state +pending/)
    expect(text).toContain('city: no daemon works on it: sluice run')
  })

  it('--watch goes on until it is interrupted, and then ends well', async () => {
    const watching = place.start(['status', '--watch'])
    await eventually(() => watching.output().split('every second').length > 2)
    watching.process.kill('SIGINT')
    expect((await watching.ended).code).toBe(0)
  })

  it('shows what a daemon has done, and that it ended', async () => {
    const daemon = place.start(['run'])
    await eventually(
      async () => {
        const { documents, workers, runs } = await status()
        expect(documents[0]).toMatchObject({ name: 'city', attended: true, pendingKeys: 0, dead: 0 })
        expect(workers).toMatchObject([{ alive: true, state: 'running' }])
        expect(runs).toEqual([])
      },
      { timeoutMs: 30_000, describe: () => daemon.output() },
    )
    expect(await inspect('city', '1')).toMatchObject({ code: 0, copies: [{ state: 'same' }] })
    daemon.process.kill('SIGTERM')
    expect((await daemon.ended).code).toBe(0)
    expect((await status()).workers).toMatchObject([{ alive: false, state: 'stopped' }])
  })

  it('says when the configuration is not what is installed', async () => {
    await place.write(
      'sluice.config.mjs',
      `export default { documents: { pair: { table: 'pair', index: 'x' } } }`,
    )
    expect((await status()).documents).toMatchObject([{ definition: 'missing' }, { definition: 'changed' }])
  })

  it('is not hidden by a configuration that is broken', async () => {
    await place.write('sluice.config.mjs', `export default { documents: { City: 1 } }`)
    const { code, stdout, stderr } = await place.sluice(['status'])
    expect(stderr).toContain('warning: ')
    expect(stdout).toContain('city')
    expect(code).toBe(0)
  })
})
