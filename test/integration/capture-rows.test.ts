import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CaptureWorld, captureWorld } from './capture-world.ts'

// Row-level triggers see a row at a time: what they make of large statements, and of a partitioned related table.
let world: CaptureWorld
let pool: pg.Pool

beforeAll(async () => {
  world = await captureWorld()
  pool = world.pool
  await pool.query(`
    CREATE TABLE event (id int, title text, hits int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (1000000);
    CREATE TABLE visit (id int, city int, body text, hits int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (0) TO (1000);
    CREATE TABLE visit_2 PARTITION OF visit FOR VALUES FROM (1000) TO (1000000)`)
  await world.capture('event', {
    table: 'public.event',
    key: [['id', 'pg_catalog.int4']],
    used: ['id', 'title'],
    capture: 'row',
    leaves: ['public.event_1'],
  })
  await world.capture('city', {
    source: 'visits',
    table: 'public.visit',
    key: [['city', 'pg_catalog.int4']],
    used: ['id', 'city', 'body'],
    capture: 'row',
    leaves: ['public.visit_1', 'public.visit_2'],
  })
})
afterAll(() => world.drop())

beforeEach(async () => {
  await pool.query('DELETE FROM event; DELETE FROM visit')
  await world.takeMarks()
})

async function marksOf(sql: string): Promise<string[]> {
  await pool.query(sql)
  return world.takeMarks()
}

/** Marks by lane: `[100, 5]`. */
async function lanesOf(sql: string): Promise<[number, number]> {
  const marks = await marksOf(sql)
  const bulk = marks.filter((mark) => mark.startsWith('lane 1 ')).length
  return [marks.length - bulk, bulk]
}

describe('lanes', () => {
  const events = (from: number, count: number) =>
    `INSERT INTO event SELECT i, 'x' FROM generate_series(${from}, ${from + count - 1}) AS i`

  it('a statement over many rows goes to the bulk lane from its 101st mark on', async () => {
    expect(await lanesOf(events(1, 100))).toEqual([100, 0])
    expect(await lanesOf(events(1001, 105))).toEqual([100, 5])
    expect(await lanesOf("UPDATE event SET title = 'y'")).toEqual([100, 105])
    expect(await lanesOf('UPDATE event SET hits = 1')).toEqual([0, 0])
    expect(await lanesOf('DELETE FROM event')).toEqual([100, 105])
  })

  it('so does a transaction of many statements, and the next one begins anew', async () => {
    expect(await lanesOf(`BEGIN; ${events(1, 60)}; ${events(61, 60)}; COMMIT; ${events(200, 1)}`)).toEqual([
      101, 20,
    ])
  })

  it('rows of a rolled back savepoint do not count', async () => {
    expect(
      await lanesOf(
        `BEGIN; ${events(1, 50)}; SAVEPOINT s; ${events(51, 200)}; ROLLBACK TO s; ${events(51, 60)}; COMMIT`,
      ),
    ).toEqual([100, 10])
    expect(
      await lanesOf(`BEGIN; SAVEPOINT s; ${events(1001, 90)}; RELEASE s; ${events(1201, 20)}; COMMIT`),
    ).toEqual([100, 10])
  })

  it('links of many parents', async () => {
    expect(await lanesOf('INSERT INTO visit SELECT i, i FROM generate_series(1, 150) AS i')).toEqual([
      100, 50,
    ])
  })

  it('a setting that somebody has spoilt is an alarm, and the write succeeds', async () => {
    const [first] = await marksOf(`
      BEGIN; ${events(1, 1)};
      SELECT set_config(name, pg_current_xact_id() || ' x', true)
        FROM (SELECT 'sluice.rows_' || substring(prosrc FROM 'sluice.rows_([0-9a-f]+)') AS name
                FROM pg_proc WHERE proname = 'capture_event_insert') AS s;
      ${events(2, 1)}; COMMIT`)
    expect(first).toBe('insert 1')
    expect(await pool.query('SELECT FROM event')).toMatchObject({ rowCount: 2 })
  })
})

describe('links of a partitioned related table', () => {
  const visits = (from: number, count: number, city: string) =>
    `INSERT INTO visit SELECT i, ${city}, 'x' FROM generate_series(${from}, ${from + count - 1}) AS i`

  beforeEach(async () => {
    await pool.query("INSERT INTO visit VALUES (1, 10, 'a'), (2, 10, 'b'), (3, 20, 'c'), (4, NULL, 'd')")
    await world.takeMarks()
  })

  it.each<[name: string, sql: string, marks: string[]]>([
    ['an insert', "INSERT INTO visit VALUES (7, 30, 'x')", ['insert visits 30']],
    ['an insert without a parent', "INSERT INTO visit VALUES (7, NULL, 'x')", []],
    ['a thousand rows of one parent are one mark', visits(100, 1_500, '7'), ['insert visits 7']],
    [
      'rows of one parent in turn with others are marks in turn',
      visits(100, 3, 'i % 2'),
      ['insert visits 0', 'insert visits 0', 'insert visits 1'],
    ],
    ['an update of a used column', "UPDATE visit SET body = 'x' WHERE id < 3", ['update visits 10']],
    ['an update of an unused column', 'UPDATE visit SET hits = 1', []],
    [
      'a row that moves to another parent',
      'UPDATE visit SET city = 30 WHERE id = 1',
      ['update visits 10,30'],
    ],
    [
      'all rows of a parent that move to another',
      'UPDATE visit SET city = 30 WHERE city = 10',
      ['update visits 10,30'],
    ],
    ['a row that loses its parent', 'UPDATE visit SET city = NULL WHERE id = 1', ['update visits 10']],
    [
      'a row that moves to another leaf',
      'UPDATE visit SET id = 2000 WHERE id = 3',
      ['delete visits 20', 'insert visits 20'],
    ],
    ['a delete', 'DELETE FROM visit WHERE city = 10', ['delete visits 10']],
    ['a delete of a row without a parent', 'DELETE FROM visit WHERE id = 4', []],
    ['a delete from a leaf', 'DELETE FROM visit_1 WHERE id = 1', ['delete visits 10']],
    ['TRUNCATE', 'TRUNCATE visit', ['lane 1 truncate visits everything']],
    ['TRUNCATE of a leaf', 'TRUNCATE visit_2', ['lane 1 truncate visits everything']],
    [
      'another kind of change of the same parent is marked for itself',
      "BEGIN; INSERT INTO visit VALUES (8, 10, 'x'); DELETE FROM visit WHERE id = 8; COMMIT",
      ['delete visits 10', 'insert visits 10'],
    ],
    [
      'the same parent in the next transaction is marked again',
      "INSERT INTO visit VALUES (8, 10, 'x'); COMMIT; INSERT INTO visit VALUES (9, 10, 'x')",
      ['insert visits 10', 'insert visits 10'],
    ],
    [
      'a mark that a savepoint took back is written again',
      "BEGIN; SAVEPOINT s; INSERT INTO visit VALUES (8, 10, 'x'); ROLLBACK TO s; INSERT INTO visit VALUES (9, 10, 'x'); COMMIT",
      ['insert visits 10'],
    ],
    [
      'one from before the savepoint holds',
      "BEGIN; INSERT INTO visit VALUES (8, 10, 'x'); SAVEPOINT s; INSERT INTO visit VALUES (9, 11, 'x'); ROLLBACK TO s; INSERT INTO visit VALUES (9, 10, 'x'); COMMIT",
      ['insert visits 10'],
    ],
    [
      'one of an exception block that failed does not',
      "DO $$ BEGIN BEGIN INSERT INTO visit VALUES (8, 10, 'x'), (1, 10, 'x'); EXCEPTION WHEN unique_violation THEN NULL; END; INSERT INTO visit VALUES (9, 10, 'x'); END $$",
      ['insert visits 10'],
    ],
  ])('%s', async (_, sql, marks) => {
    expect((await marksOf(sql)).sort()).toEqual(marks)
  })
})
