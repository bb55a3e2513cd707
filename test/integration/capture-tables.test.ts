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

describe('keys', () => {
  it('of several columns are a JSON array, encoded as encode_key does', async () => {
    await pool.query('CREATE TABLE stop (line text, n int, name text, PRIMARY KEY (line, n))')
    await world.capture('stop', {
      table: 'public.stop',
      key: [
        ['line', 'pg_catalog.text'],
        ['n', 'pg_catalog.int4'],
      ],
    })
    await pool.query(`INSERT INTO stop VALUES ('a "b", c\\', 1, 'x')`)
    const { rows } = await pool.query(
      `SELECT keys = ARRAY["${world.schema}".encode_key(line, n::text)] AS same FROM "${world.schema}".sync_queue, stop`,
    )
    expect(rows).toEqual([{ same: true }])
    expect(await world.takeMarks()).toEqual([String.raw`insert ["a \"b\", c\\", "1"]`])
    expect(await marksOf("UPDATE stop SET name = 'y'")).toEqual([String.raw`update ["a \"b\", c\\", "1"]`])
  })

  it('are the same text whatever the session has set', async () => {
    await pool.query('CREATE TABLE slot (day date, at timestamptz, hash bytea, PRIMARY KEY (day, at, hash))')
    await world.capture('slot', {
      table: 'public.slot',
      key: [
        ['day', 'pg_catalog.date'],
        ['at', 'pg_catalog.timestamptz'],
        ['hash', 'pg_catalog.bytea'],
      ],
    })
    const values = String.raw`('2026-03-04', '2026-03-04 12:00+00', '\x00ff')`
    const marks = await marksOf(`INSERT INTO slot VALUES ${values}`)
    expect(marks).toEqual([String.raw`insert ["2026-03-04", "2026-03-04T12:00:00Z", "\\x00ff"]`])
    const odd =
      "SET LOCAL DateStyle = 'German'; SET LOCAL TimeZone = 'Asia/Dubai'; SET LOCAL bytea_output = 'escape'"
    expect(await marksOf(`BEGIN; ${odd}; DELETE FROM slot; COMMIT`)).toEqual([
      marks[0]?.replace('insert', 'delete'),
    ])
  })

  it('that a collation calls equal are two keys', async () => {
    await pool.query(`
      CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE tag (name text COLLATE nocase PRIMARY KEY, label text COLLATE nocase, note text)`)
    await world.capture('tag', {
      table: 'public.tag',
      key: [['name', 'pg_catalog.text']],
      used: ['name', 'label'],
    })
    expect(await marksOf("INSERT INTO tag VALUES ('a', 'x')")).toEqual(['insert a'])
    expect(await marksOf("UPDATE tag SET name = 'A'")).toEqual(['update A,a'])
    expect(await marksOf("UPDATE tag SET label = 'X'")).toEqual(['update A'])
  })
})

describe('columns', () => {
  it('of types without equality are compared, and nothing raises', async () => {
    await pool.query(`
      CREATE TYPE pair AS (a json, b point);
      CREATE TABLE shape (id int PRIMARY KEY, doc json, at point, area box, two pair, path xml, unused json)`)
    await world.capture('shape', {
      table: 'public.shape',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'doc', 'at', 'area', 'two', 'path'],
    })
    await pool.query(
      `INSERT INTO shape VALUES (1, '{"a":1}', '(1,2)', '(1,2),(3,4)', ROW('{}', '(0,0)'), '<a/>')`,
    )
    await world.takeMarks()
    expect(await marksOf(`UPDATE shape SET doc = '{"a": 1}'`)).toEqual(['update 1'])
    expect(await marksOf("UPDATE shape SET at = '(1,3)'")).toEqual(['update 1'])
    expect(await marksOf("UPDATE shape SET two = ROW('[]', '(0,0)')")).toEqual(['update 1'])
    expect(
      await marksOf(`UPDATE shape SET doc = doc, at = at, two = two, path = path, unused = '[1]'`),
    ).toEqual([])
    expect(await marksOf('UPDATE shape SET doc = NULL')).toEqual(['update 1'])
  })

  it('that are equal and look different have changed', async () => {
    await pool.query('CREATE TABLE price (id int PRIMARY KEY, amount numeric, rate float8, note text)')
    await world.capture('price', {
      table: 'public.price',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'amount', 'rate'],
    })
    await marksOf('INSERT INTO price VALUES (1, 1.0, 0)')
    expect(await marksOf('UPDATE price SET amount = 1.00')).toEqual(['update 1'])
    expect(await marksOf("UPDATE price SET rate = '-0'")).toEqual(['update 1'])
    expect(await marksOf("UPDATE price SET note = 'x'")).toEqual([])
  })

  it('stored out of line are compared by content', async () => {
    await pool.query('CREATE TABLE page (id int PRIMARY KEY, body text, hits int)')
    await pool.query('ALTER TABLE page ALTER COLUMN body SET STORAGE EXTERNAL')
    await world.capture('page', {
      table: 'public.page',
      key: [['id', 'pg_catalog.int4']],
      used: ['id', 'body'],
    })
    await marksOf("INSERT INTO page VALUES (1, repeat('abcdefgh', 10000), 0)")
    expect(await marksOf('UPDATE page SET hits = 1')).toEqual([])
    expect(await marksOf('UPDATE page SET body = body')).toEqual([])
    expect(await marksOf("UPDATE page SET body = overlay(body PLACING 'X' FROM 40000)")).toEqual(['update 1'])
  })

  it('that are generated and virtual are compared by what they are computed from', async ({ skip }) => {
    const { rows } = await pool.query<{ v: number }>("SELECT current_setting('server_version_num')::int AS v")
    if ((rows[0]?.v ?? 0) < 180_000) skip('virtual generated columns came with Postgres 18')
    await pool.query(
      'CREATE TABLE sum (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a * 2) VIRTUAL, b int)',
    )
    await world.capture('sum', { table: 'public.sum', key: [['id', 'pg_catalog.int4']], used: ['id', 'a'] })
    await marksOf('INSERT INTO sum VALUES (1, 1)')
    expect(await marksOf('UPDATE sum SET a = 2')).toEqual(['update 1'])
    expect(await marksOf('UPDATE sum SET b = 2')).toEqual([])
  })

  it('may have any name, those of our own variables included', async () => {
    await pool.query(`
      CREATE TABLE "Odd ""table""" ("Id" int, n int, o int, q int, c int, key text, marked text, first int, new_rows int,
                                    old_rows int, lane int, "we""ird" text, gone text, PRIMARY KEY ("Id", n));
      ALTER TABLE "Odd ""table""" DROP COLUMN gone`)
    await world.capture('odd', {
      table: 'public.Odd "table"',
      key: [
        ['Id', 'pg_catalog.int4'],
        ['n', 'pg_catalog.int4'],
      ],
      used: ['Id', 'n', 'o', 'q', 'key', 'marked', 'we"ird'],
    })
    expect(await marksOf(`INSERT INTO "Odd ""table""" VALUES (1, 2), (3, 4)`)).toEqual([
      'insert ["1", "2"],["3", "4"]',
    ])
    expect(await marksOf(`UPDATE "Odd ""table""" SET "we""ird" = 'x' WHERE n = 2`)).toEqual([
      'update ["1", "2"]',
    ])
    expect(await marksOf(`UPDATE "Odd ""table""" SET lane = 7, new_rows = 1`)).toEqual([])
    expect(await marksOf(`DELETE FROM "Odd ""table""" WHERE o IS NULL AND n = 2`)).toEqual([
      'delete ["1", "2"]',
    ])
  })
})

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
