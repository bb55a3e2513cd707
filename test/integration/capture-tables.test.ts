import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CaptureWorld, captureWorld } from './capture-world.ts'

// What tables there are, and what application does to them.
let world: CaptureWorld
let pool: pg.Pool

beforeAll(async () => {
  world = await captureWorld()
  pool = world.pool
})
afterAll(() => world.drop())

const marksOf = (sql: string) => world.marksOf(sql)

describe('foreign keys', () => {
  it('cascade into the table itself, at any depth', async () => {
    await pool.query(
      'CREATE TABLE part (id int PRIMARY KEY, parent int REFERENCES part ON DELETE CASCADE ON UPDATE CASCADE, note text)',
    )
    await world.capture('part', {
      table: 'public.part',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'parent'],
    })
    await marksOf('INSERT INTO part VALUES (1, null), (2, 1), (3, 2), (4, 2), (5, null)')
    const { keys: updated } = keysOf(await marksOf('UPDATE part SET id = 20 WHERE id = 2'))
    expect(updated).toEqual(new Set(['2', '20', '3', '4']))
    const { keys: deleted } = keysOf(await marksOf('DELETE FROM part WHERE id = 1'))
    expect(deleted).toEqual(new Set(['1', '20', '3', '4']))
  })

  it('cascade, set null and truncate from another table', async () => {
    await pool.query(`
      CREATE TABLE owner (id int PRIMARY KEY);
      CREATE TABLE pet (id int PRIMARY KEY, owner int REFERENCES owner ON DELETE SET NULL, vet int REFERENCES owner ON DELETE CASCADE);
      INSERT INTO owner VALUES (1), (2)`)
    await world.capture('pet', {
      table: 'public.pet',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'owner'],
    })
    await marksOf('INSERT INTO pet VALUES (10, 1, null), (11, 1, null), (12, null, 2)')
    expect(await marksOf('DELETE FROM owner WHERE id = 1')).toEqual(['update 10,11'])
    expect(await marksOf('DELETE FROM owner WHERE id = 2')).toEqual(['delete 12'])
    expect(await marksOf('TRUNCATE owner CASCADE')).toEqual(['lane 1 truncate everything'])
  })

  function keysOf(marks: readonly string[]) {
    return { keys: new Set(marks.flatMap((mark) => mark.split(' ').at(-1)?.split(',') ?? [])) }
  }
})

describe('a partitioned table', () => {
  beforeAll(async () => {
    await pool.query(`
      CREATE TABLE event (region text, id int, title text, note text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
      CREATE TABLE event_a PARTITION OF event FOR VALUES IN ('a');
      -- A leaf of another layout, two levels down: its rows have to be converted.
      CREATE TABLE event_rest PARTITION OF event DEFAULT PARTITION BY RANGE (id);
      CREATE TABLE event_b (note text, dropped int, title text, id int NOT NULL, region text NOT NULL);
      ALTER TABLE event_b DROP COLUMN dropped;
      ALTER TABLE event_rest ATTACH PARTITION event_b FOR VALUES FROM (0) TO (1000);`)
    await world.capture('event', {
      table: 'public.event',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'title', 'region'],
      capture: 'row',
      leaves: ['public.event_a', 'public.event_b'],
    })
  })

  it.each<[name: string, sql: string, marks: string[]]>([
    [
      'insert, one mark a row',
      "INSERT INTO event VALUES ('a', 1, 'x'), ('b', 2, 'x')",
      ['insert 1', 'insert 2'],
    ],
    ['insert into a leaf', "INSERT INTO event_b (region, id, title) VALUES ('b', 3, 'x')", ['insert 3']],
    ['update', "UPDATE event SET title = 'y'", ['update 1', 'update 2', 'update 3']],
    ['update of a leaf', "UPDATE event_b SET title = 'z' WHERE id = 2", ['update 2']],
    ['update of an unused column', "UPDATE event SET note = 'y'", []],
    ['update of an unused column of a leaf', "UPDATE event_b SET note = 'z'", []],
    [
      'a row that moves to another leaf',
      "UPDATE event SET region = 'b' WHERE id = 1",
      ['delete 1', 'insert 1'],
    ],
    ['a changed key', 'UPDATE event SET id = 20 WHERE id = 2', ['update 2,20']],
    [
      'MERGE that moves a row',
      "MERGE INTO event USING (VALUES (1), (9)) AS v (id) ON event.id = v.id WHEN MATCHED THEN UPDATE SET region = 'a' WHEN NOT MATCHED THEN INSERT VALUES ('c', v.id)",
      ['delete 1', 'insert 1', 'insert 9'],
    ],
    ['delete', 'DELETE FROM event WHERE id = 1', ['delete 1']],
    ['delete from a leaf', 'DELETE FROM event_b WHERE id = 3', ['delete 3']],
    ['TRUNCATE', 'TRUNCATE event', ['lane 1 truncate everything']],
    ['TRUNCATE of a leaf', 'TRUNCATE event_b', ['lane 1 truncate everything']],
    ['TRUNCATE of a middle level', 'TRUNCATE event_rest', ['lane 1 truncate everything']],
  ])('%s', async (_, sql, marks) => {
    expect((await marksOf(sql)).sort()).toEqual(marks)
  })

  it('captures what happens in a leaf attached later, but for its TRUNCATE', async () => {
    await pool.query(`
      CREATE TABLE event_late (LIKE event INCLUDING ALL);
      ALTER TABLE event_rest ATTACH PARTITION event_late FOR VALUES FROM (1000) TO (2000)`)
    expect(await marksOf("INSERT INTO event VALUES ('z', 1500, 'x')")).toEqual(['insert 1500'])
    expect(await marksOf('DELETE FROM event_late')).toEqual(['delete 1500'])
  })
})

describe('roles', () => {
  beforeAll(async () => {
    await pool.query('CREATE TABLE account (id int PRIMARY KEY, name text, note text)')
    await world.capture('account', {
      table: 'public.account',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'name'],
    })
  })

  it('of the application need no grant on our schema', async () => {
    const role = `app_${world.url.split('_').at(-1)}`
    await pool.query(
      `CREATE ROLE ${role}; GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON account TO ${role}`,
    )
    try {
      const { rows } = await pool.query(
        `SELECT has_schema_privilege($1, $2, 'USAGE') AS schema, has_table_privilege($1, c.oid, 'INSERT') AS queue
           FROM pg_class c WHERE relname = 'sync_queue'`,
        [role, world.schema],
      )
      expect(rows).toEqual([{ schema: false, queue: false }])
      const as = (sql: string) => marksOf(`BEGIN; SET LOCAL ROLE ${role}; ${sql}; COMMIT`)
      expect(await as("INSERT INTO account VALUES (1, 'x')")).toEqual(['insert 1'])
      expect(await as("UPDATE account SET name = 'y'")).toEqual(['update 1'])
      expect(await as('DELETE FROM account')).toEqual(['delete 1'])
      expect(await as('TRUNCATE account')).toEqual(['lane 1 truncate everything'])
    } finally {
      await pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })

  it('cannot divert the marks with temporary tables, functions or a search_path', async () => {
    const client = await pool.connect()
    try {
      await client.query(`
        CREATE SCHEMA evil;
        CREATE FUNCTION evil.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
        CREATE FUNCTION evil.cardinality(text[]) RETURNS int LANGUAGE sql AS 'SELECT 0';
        CREATE TEMP TABLE sync_queue (LIKE "${world.schema}".sync_queue INCLUDING ALL);
        CREATE TEMP TABLE new_rows (id int, name text, note text);
        CREATE TEMP TABLE old_rows (id int, name text, note text);
        SET search_path = pg_temp, evil, public, pg_catalog;
        INSERT INTO public.account VALUES (1, 'x');
        UPDATE public.account SET name = 'y'`)
      expect((await client.query('SELECT FROM pg_temp.sync_queue')).rowCount).toBe(0)
    } finally {
      client.release(true)
    }
    expect(await world.takeMarks()).toEqual(['insert 1', 'update 1'])
  })

  it('cannot call our functions', async () => {
    const { rows } = await pool.query(
      `SELECT p.proname, a.grantee FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.pronamespace = $1::regnamespace AND p.proname ~ '^(key|changed|capture)_' AND a.grantee <> p.proowner`,
      [`"${world.schema}"`],
    )
    expect(rows).toEqual([])
  })
})
