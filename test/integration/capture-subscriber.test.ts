import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkTables } from '../../src/capture/check-tables.ts'
import { planDocuments } from '../../src/capture/plan-documents.ts'
import { readCatalog } from '../../src/catalog/read-catalog.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { eventually } from '../support/eventually.ts'
import { type PostgresServer, startPostgres } from '../support/servers/postgres.ts'
import { type CaptureWorld, captureWorld } from './capture-world.ts'

// Rows that come by logical replication: no statement-level trigger fires for them, and no trigger that is not ALWAYS enabled.
let publisher: PostgresServer
let there: pg.Pool
let world: CaptureWorld

const tables = `
  CREATE TABLE city (id int PRIMARY KEY, name text, hits int);
  CREATE TABLE review (id int PRIMARY KEY, city int, body text);
  CREATE TABLE visit (id int PRIMARY KEY, city int) PARTITION BY RANGE (id);
  CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (0) TO (1000)`

beforeAll(async () => {
  publisher = await startPostgres({ settings: { wal_level: 'logical' } })
  there = new pg.Pool({ connectionString: publisher.url, max: 2 })
  world = await captureWorld()
  await there.query(
    `${tables}; INSERT INTO city VALUES (1, 'there before'); CREATE PUBLICATION all_tables FOR ALL TABLES`,
  )
  await world.pool.query(tables)
  const row = { capture: 'row', always: true } as const
  const id: [string, string][] = [['id', 'pg_catalog.int4']]
  const city: [string, string][] = [['city', 'pg_catalog.int4']]
  await world.capture('city', { ...row, table: 'public.city', key: id, used: ['id', 'name'] })
  await world.capture('city', { ...row, source: 'reviews', table: 'public.review', key: city })
  await world.capture('city', {
    ...row,
    source: 'visits',
    table: 'public.visit',
    key: city,
    leaves: ['public.visit_1'],
  })
  await world.pool.query(
    `CREATE SUBSCRIPTION sub CONNECTION '${connectionString(publisher.url)}' PUBLICATION all_tables`,
  )
})
afterAll(async () => {
  await world.pool.query('DROP SUBSCRIPTION IF EXISTS sub')
  await world.drop()
  await there.end()
  await publisher.stop()
})

function connectionString(url: string): string {
  const { hostname, port, username, password, pathname } = new URL(url)
  return `host=${hostname} port=${port} user=${username} password=${password} dbname=${pathname.slice(1)}`
}

/** Changes something on the publisher and waits for its last mark here. */
async function marksOf(sql: string, count: number): Promise<string[]> {
  await there.query(sql)
  const marks: string[] = []
  await eventually(async () => {
    marks.push(...(await world.takeMarks()))
    expect(marks).toHaveLength(count)
  })
  return marks.sort()
}

describe('a subscriber of logical replication', () => {
  it('marks rows that the initial copy brings', async () => {
    expect(await marksOf('SELECT', 1)).toEqual(['insert 1'])
  })

  it('marks inserted, updated and deleted rows, and those of related tables', async () => {
    expect(
      await marksOf("INSERT INTO city VALUES (2, 'Bern'); INSERT INTO review VALUES (1, 2, 'x')", 2),
    ).toEqual(['insert 2', 'insert reviews 2'])
    expect(await marksOf("UPDATE city SET hits = 1; UPDATE city SET name = 'Berne' WHERE id = 2", 1)).toEqual(
      ['update 2'],
    )
    expect(await marksOf('UPDATE review SET city = 1', 1)).toEqual(['update reviews 1,2'])
    expect(await marksOf('INSERT INTO visit VALUES (1, 1), (2, 1)', 1)).toEqual(['insert visits 1'])
    expect(await marksOf('DELETE FROM visit WHERE id = 1; DELETE FROM city WHERE id = 2', 2)).toEqual([
      'delete 2',
      'delete visits 1',
    ])
  })

  it('marks everything at a TRUNCATE', async () => {
    expect(await marksOf('TRUNCATE city, review; TRUNCATE visit_1', 3)).toEqual([
      'lane 1 truncate everything',
      'lane 1 truncate reviews everything',
      'lane 1 truncate visits everything',
    ])
  })

  it('sends a transaction over many rows to the bulk lane', async () => {
    const marks = await marksOf("INSERT INTO city SELECT i, 'x' FROM generate_series(1, 150) AS i", 150)
    expect(marks.filter((mark) => mark.startsWith('lane 1 '))).toHaveLength(50)
  })

  it('is known by its subscription: its tables are planned so', async () => {
    expect((await plan()).sources).toMatchObject([
      { source: '', capture: 'row', always: true },
      { source: 'reviews', capture: 'row', always: true },
      { source: 'visits', capture: 'row', always: true, leaves: [{ name: 'visit_1' }] },
    ])
  })

  it('takes the owner of the tables to install, and says so', async () => {
    const role = `app_${world.url.split('_').at(-1)}`
    await world.pool.query(
      `CREATE ROLE ${role}; GRANT SELECT, TRIGGER ON city, review, visit, visit_1 TO ${role}`,
    )
    const client = await world.pool.connect()
    try {
      const [catalog, planned] = [await readCatalog(client), await plan()]
      const check = () => checkTables(client, { plan: planned, definition }, catalog, world.schema)
      await check()
      await client.query(`SET ROLE ${role}`)
      await expect(check()).rejects.toMatchObject({
        message: expect.stringContaining(
          'city gets its rows by logical replication, and only its owner postgres can',
        ),
        where: 'documents.city.table',
        remedy: `Install as postgres, or GRANT postgres TO ${role}`,
      })
    } finally {
      client.release(true)
      await world.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })
})

const definition: DocumentDefinition = {
  table: 'city',
  index: 'cities',
  relations: {
    reviews: { many: 'review', on: { id: 'city' } },
    visits: { many: 'visit', on: { id: 'city' } },
  },
}

async function plan(): Promise<DocumentPlan> {
  const client = await world.pool.connect()
  try {
    const catalog = await readCatalog(client)
    const [planned] = await planDocuments(client, world.schema, catalog, new Map([['city', definition]]))
    if (planned === undefined) throw new Error('one definition makes one plan')
    return planned
  } finally {
    client.release()
  }
}
