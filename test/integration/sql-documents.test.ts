import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { previewJson } from '../../src/cli/json/preview.ts'
import { ConfigError, describeError } from '../../src/errors.ts'
import { workspace } from './cli-support.ts'
import { lines } from './install-world.ts'
import { type QueryDefinition, type SqlWorld, sqlWorld } from './sql-documents-world.ts'

let world: SqlWorld
beforeAll(async () => {
  world = await sqlWorld()
})
afterAll(() => world.drop())
beforeEach(() =>
  world.sql(`
    CREATE TABLE customer (id int PRIMARY KEY, name text);
    CREATE TABLE report (id bigint PRIMARY KEY, title text, note text);
    CREATE TABLE line (id int PRIMARY KEY, report_id int, amount numeric(10,2), customer_id int, at timestamptz, comment text);
    INSERT INTO customer VALUES (1, 'Ada'), (2, 'Ben');
    INSERT INTO report VALUES (1, 'one', 'n'), (2, 'two', 'n'), (3, 'three', 'n');
    INSERT INTO line VALUES (10, 1, 1.50, 1, '2024-05-01 12:00+02', 'c'), (11, 1, 2, 2, NULL, 'c'), (20, 2, 4, 1, NULL, 'c')`),
)
afterEach(async () => {
  await world.uninstall()
  await world.sql('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
})

/** The report of DESIGN.md: a table of its own, and lines that it sums up. */
const report: QueryDefinition = {
  table: 'report',
  id: ['id'],
  sql: `SELECT r.id, r.title, sum(l.amount)::numeric(12,2) AS "total.amount", count(l.id)::int AS "total.lines",
               min(l.at) AS since, coalesce(json_agg(json_build_object('amount', l.amount, 'by', c.name) ORDER BY l.id)
                 FILTER (WHERE l.id IS NOT NULL), '[]') AS lines
          FROM report r LEFT JOIN line l ON l.report_id = r.id LEFT JOIN customer c ON c.id = l.customer_id
         WHERE r.id = ANY($1) GROUP BY r.id -- all of it`,
  dependsOn: { line: 'report_id' },
  mappings: {
    properties: {
      lines: { type: 'nested', properties: { amount: { type: 'double' }, by: { type: 'keyword' } } },
    },
  },
}

const byOwner: QueryDefinition = {
  table: 'line_owner',
  id: ['id'],
  sql: 'SELECT o.id, o.name, (SELECT sum(amount) FROM line l WHERE l.report_id = o.id) AS total FROM line_owner o WHERE o.id = ANY($1)',
  dependsOn: { 'public.line': 'report_id' },
}

const createOwners = (kind: string) =>
  world.sql(`CREATE ${kind} line_owner AS SELECT l.report_id::bigint AS id, min(c.name) AS name
               FROM line l JOIN customer c ON c.id = l.customer_id GROUP BY l.report_id`)

async function refusal(definition: QueryDefinition): Promise<string> {
  const error = await world.plan(definition).then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return describeError(error)
}

describe('a document that a query makes', () => {
  it('has its columns as fields: dotted names nest, JSON stays as it is, instants leave in UTC', async () => {
    const plan = await world.report(report)
    expect(await world.load(['1', '3', '4'])).toEqual({
      1: {
        title: 'one',
        total: { amount: 3.5, lines: 2 },
        since: '2024-05-01T10:00:00Z',
        lines: [
          { amount: 1.5, by: 'Ada' },
          { amount: 2, by: 'Ben' },
        ],
      },
      3: { title: 'three', total: { amount: null, lines: 0 }, since: null, lines: [] },
    })
    expect(plan.mappings).toEqual({
      dynamic: 'strict',
      properties: {
        title: { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 1024 } } },
        total: { properties: { amount: { type: 'double' }, lines: { type: 'integer' } } },
        since: { type: 'date' },
        lines: { type: 'nested', properties: { amount: { type: 'double' }, by: { type: 'keyword' } } },
      },
    })
  })

  it('is marked by a change of its row and by one of a table it depends on, where a used column changed', async () => {
    await world.report(report)
    await world.sql(`UPDATE report SET title = 'uno' WHERE id = 1`)
    expect(await world.marks()).toEqual([': 1 (update)'])
    await world.sql(`UPDATE report SET note = 'x'; UPDATE line SET comment = 'x'`)
    expect(await world.marks()).toEqual([])
    await world.sql('UPDATE line SET amount = 5 WHERE id = 20')
    expect(await world.marks()).toEqual(['public.line: 2 (update)'])
    await world.sql('UPDATE line SET report_id = 3 WHERE id = 20')
    expect((await world.marks()).map((mark) => mark.split(' ').toSorted().join(' '))).toEqual([
      '(update) 2 3 public.line:',
    ])
    await world.sql('INSERT INTO line VALUES (30, 3), (31, 3), (32, NULL)')
    expect(await world.marks()).toEqual(['public.line: 3 (insert)'])
    await world.sql('DELETE FROM line WHERE report_id = 3')
    expect(await world.marks()).toEqual(['public.line: 3 (delete)'])
    await world.sql('DELETE FROM report WHERE id = 3; TRUNCATE line')
    expect(await world.marks()).toEqual([': 3 (delete)', 'public.line: everything (truncate)'])
  })

  it('is none where the query returns no row, and none where the root has none', async () => {
    await world.report({
      ...report,
      sql: `SELECT id, title FROM report WHERE id = ANY($1) AND title <> 'two' UNION ALL SELECT 99, 'no such report'`,
      mappings: {},
    })
    expect(await world.load(['1', '2', '99'])).toEqual({ 1: { title: 'one' } })
  })

  it('of several rows is refused, and those beside it are not', async () => {
    await world.report({
      ...report,
      sql: 'SELECT r.id, l.amount FROM report r LEFT JOIN line l ON l.report_id = r.id WHERE r.id = ANY($1)',
      mappings: {},
    })
    expect(await world.load(['1', '2', '3'])).toEqual({
      1: 'the query returns several rows of this id',
      2: { amount: 4 },
      3: { amount: null },
    })
  })

  it('says which field Elasticsearch cannot hold', async () => {
    await world.sql(`UPDATE line SET at = 'infinity' WHERE id = 20`)
    await world.report({
      ...report,
      sql: 'SELECT l.report_id::bigint AS id, max(l.at) AS "last.at" FROM line l WHERE l.report_id = ANY($1) GROUP BY 1',
      mappings: {},
    })
    expect(await world.load(['1', '2'])).toEqual({
      1: { last: { at: '2024-05-01T10:00:00Z' } },
      2: expect.stringContaining('field "last.at" is infinity'),
    })
  })

  it('has an id of several columns', async () => {
    await world.sql(`
      CREATE TABLE shelf (room text, place int, label text, PRIMARY KEY (room, place));
      CREATE TABLE book (id int PRIMARY KEY, room varchar(9), place int, title text);
      INSERT INTO shelf VALUES ('a', 1, 'x'), ('a', 2, 'y'), ('b:', 1, 'z');
      INSERT INTO book VALUES (1, 'a', 1, 'One'), (2, 'a', 1, 'Two'), (3, 'b:', 1, 'Three')`)
    const plan = await world.report({
      table: 'shelf',
      id: ['room', 'place'],
      sql: `SELECT s.place, s.room, s.label, ARRAY(SELECT title FROM book b WHERE b.room = s.room AND b.place = s.place ORDER BY id) AS titles
              FROM unnest($1, $2) AS k (room, place) JOIN shelf s USING (room, place)`,
      dependsOn: { book: ['room', 'place'] },
    })
    expect(await world.load(['["a", "1"]', '["b:", "1"]', '["a", "3"]'])).toEqual({
      '["a", "1"]': { label: 'x', titles: ['One', 'Two'] },
      '["b:", "1"]': { label: 'z', titles: ['Three'] },
    })
    await world.sql(`UPDATE book SET room = 'b:' WHERE id = 2; UPDATE book SET place = NULL WHERE id = 1`)
    const marks = await world.marks()
    expect(marks.join('\n')).toContain('public.book: ')
    expect(new Set(marks.join(' ').match(/\["[^\]]*\]/g))).toEqual(new Set(['["a", "1"]', '["b:", "1"]']))
    // Text may be equal under a collation and another key: it is looked up in the root.
    const expansion = plan.sources.at(-1)?.expansion
    const { rows } = await world.database.pool.query(
      `SELECT key FROM sluice."${expansion?.view}" WHERE link_1 = 'a' AND link_2 = 1`,
    )
    expect(rows).toEqual([{ key: '["a", "1"]' }])
  })

  it('has the address of its row, which a table that it depends on does not know', async () => {
    await world.sql(`ALTER TABLE report ADD region text; UPDATE report SET region = 'eu' WHERE id = 1`)
    const plan = await world.report({ ...report, routing: 'region' })
    expect(plan).toMatchObject({ idParts: 1, address: { tenant: null, routing: 1 } })
    expect(Object.keys(await world.load(['["1", "eu"]', '["2", null]', '["4", null]']))).toEqual([
      '["1", "eu"]',
      '["2", null]',
    ])
    const { rows } = await world.database.pool.query(
      'SELECT key FROM sluice."links_report.public.line" WHERE link_1 = 1',
    )
    expect(rows).toEqual([{ key: '["1", "eu"]' }])
    await world.sql('UPDATE line SET amount = 9 WHERE id = 10')
    expect(await world.marks()).toEqual(['public.line: 1 (update)'])
  })

  it('can be looked at before it is installed, and says why there is none', async () => {
    const place = await workspace({ DATABASE_URL: world.database.url, ELASTICSEARCH_URL: world.server.url })
    try {
      const { mappings: _mappings, ...definition } = report
      const sql = 'SELECT id, title FROM report WHERE id = ANY($1) AND id < 3'
      const config = { documents: { report: { ...definition, sql, index: world.index } } }
      await place.write('sluice.config.json', JSON.stringify(config))
      const preview = async (id: string) =>
        previewJson.parse((await place.json(['preview', 'report', id])).value)
      const found = await preview('1')
      expect(found).toMatchObject({ document: { title: 'one' }, problem: null })
      expect(found.sql.view).toContain('CREATE FUNCTION "sluice"."query_report"(pg_catalog.int8[])')
      expect(found.warnings.join()).toContain('the query does not read line')
      expect((await preview('3')).problem).toBe('there is no document: the query ("sql") leaves its row out')
      expect((await preview('9')).problem).toBe('there is no document: no row has this key')
    } finally {
      await place.remove()
    }
  })

  it('follows a renamed column, and keeps Postgres from dropping one, naming the function', async () => {
    await world.report(report)
    await world.sql('ALTER TABLE line RENAME amount TO sum; ALTER TABLE customer RENAME TO client')
    expect(await world.load(['2'])).toMatchObject({ 2: { total: { amount: 4 }, lines: [{ by: 'Ada' }] } })
    await expect(world.sql('ALTER TABLE line DROP COLUMN sum')).rejects.toMatchObject({
      detail: expect.stringContaining('function sluice.query_report(bigint[])'),
    })
    expect(await world.value(`SELECT sluice.detach('report')`)).toBe(8)
    await world.sql('ALTER TABLE line DROP COLUMN sum')
  })

  it('is installed once, again where the query or what it reads is another, and leaves nothing', async () => {
    await world.uninstall()
    const before = await world.everything()
    const definition = { index: world.index, ...report }
    const steps = async (given = definition) =>
      lines((await world.install({ report: given }, { backfill: false })).plan.steps)
    expect(await steps()).toEqual(
      expect.arrayContaining(['+ view document_report', '+ function query_report']),
    )
    expect(await steps()).toEqual([])
    const other = { ...definition, sql: definition.sql?.replace('min(l.at)', 'max(l.at)') ?? '' }
    expect(await steps(other)).toEqual(['~ function query_report', '~ definition of report'])
    await world.sql('ALTER TABLE customer RENAME TO old; CREATE TABLE customer (LIKE old INCLUDING ALL)')
    expect(await steps(other)).toEqual(['~ function query_report'])
    expect(await world.load(['2'])).toMatchObject({ 2: { lines: [{ by: null }] } })
    await world.uninstall()
    await world.sql('DROP TABLE customer; ALTER TABLE old RENAME TO customer')
    const names = (all: string[]) =>
      all.filter((name) => !name.includes('customer') && !name.startsWith('dependency'))
    expect(names(await world.everything())).toEqual(names(before))
  })
})

describe('a document of a view', () => {
  it('is marked by the tables behind it, and goes with its last row', async () => {
    await createOwners('VIEW')
    const plan = await world.report(byOwner)
    expect(plan.sources.map(({ source }) => source)).toEqual(['public.line'])
    expect(await world.load(['1', '2', '3'])).toEqual({
      1: { name: 'Ada', total: 3.5 },
      2: { name: 'Ada', total: 4 },
    })
    await world.sql('DELETE FROM line WHERE report_id = 2')
    expect(await world.marks()).toEqual(['public.line: 2 (delete)'])
    expect(await world.load(['1', '2'])).toEqual({ 1: { name: 'Ada', total: 3.5 } })
    await world.sql('UPDATE line SET customer_id = 2 WHERE id = 10')
    expect(await world.marks()).toEqual(['public.line: 1 (update)'])
  })

  it('has each id once, and none for null', async () => {
    await world.sql(
      'CREATE VIEW line_owner AS SELECT report_id::bigint AS id FROM line UNION ALL SELECT NULL',
    )
    const plan = await world.report({
      ...byOwner,
      sql: 'SELECT report_id::bigint AS id, count(*) AS n FROM line WHERE report_id = ANY($1) GROUP BY report_id',
    })
    const { rows } = await world.database.pool.query(
      `SELECT key_1, key FROM sluice.${plan.view} ORDER BY key`,
    )
    expect(rows).toEqual([
      { key_1: '1', key: '1' },
      { key_1: '2', key: '2' },
    ])
    expect(await world.load(['1', '2'])).toEqual({ 1: { n: 2 }, 2: { n: 1 } })
  })

  it('is asked for some of its rows, though it aggregates', async () => {
    await world.sql(`CREATE VIEW line_owner AS SELECT report_id::bigint AS id, count(*) AS n FROM line GROUP BY report_id;
      INSERT INTO line SELECT n, n FROM generate_series(100, 20000) n; CREATE INDEX ON line ((report_id::bigint)); ANALYZE line`)
    const plan = await world.report({ ...byOwner, sql: 'SELECT id, n FROM line_owner WHERE id = ANY($1)' })
    const { rows } = await world.database.pool.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN ${plan.loadSql.replaceAll('$1', `'{101,102}'`)}`,
    )
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toContain('Seq Scan on line')
  })
})

describe('what is not watched is said', () => {
  const warnings = async (definition: QueryDefinition) => (await world.plan(definition)).warnings

  it('of a table that the query reads, itself or by a view', async () => {
    const unwatched =
      'documents.report.sql: it reads customer, which nothing watches: name it in dependsOn, or run a backfill when it changes, or on a schedule (sluice backfill report)'
    expect(await warnings(report)).toEqual([unwatched])
    await createOwners('VIEW')
    expect(await warnings(byOwner)).toEqual([unwatched])
  })

  it('of a materialized view, in whose place nothing else is named', async () => {
    await createOwners('MATERIALIZED VIEW')
    expect(await warnings(byOwner)).toEqual([
      'documents.report.sql: it reads the materialized view line_owner, and a REFRESH leaves no mark: run sluice backfill report after each, and a verify where rows may have gone',
    ])
  })

  it('of a function, which uses whatever column there is', async () => {
    await world.sql(
      `CREATE FUNCTION total(bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT sum(amount) FROM public.line WHERE report_id = $1'`,
    )
    const definition = {
      ...report,
      sql: 'SELECT id, total(id) AS total FROM report WHERE id = ANY($1)',
      mappings: {},
    }
    expect(await warnings(definition)).toEqual([
      'documents.report.sql: it calls public.total(), of which Postgres does not know what it reads: name those tables in dependsOn',
    ])
    const plan = await world.plan(definition)
    expect(plan.sources.map(({ compare }) => compare)).toEqual([false, false])
  })

  it('of the time, and of a table that is watched for nothing', async () => {
    const sql = 'SELECT id, age(now(), now()) AS age FROM report WHERE id = ANY($1)'
    expect(await warnings({ ...report, sql, mappings: {} })).toEqual([
      'documents.report.sql: it depends on the time, which passes without a mark: run a backfill when it changes, or on a schedule (sluice backfill report)',
      'documents.report.dependsOn["public.line"]: the query does not read line, so that its changes are looked at for nothing',
    ])
  })
})

describe('a definition is refused', () => {
  const where = 'FROM report WHERE id = ANY($1)'
  it.each<[string, Partial<QueryDefinition>, string]>([
    [
      'without the id in the query',
      { sql: `SELECT title, $1 AS x FROM report` },
      'documents.report.sql: the query does not return the id "id"',
    ],
    ['with an id of another type', { sql: `SELECT id::text AS id, title ${where}` }, 'Cast it: id::bigint'],
    ['with the id alone', { sql: `SELECT id ${where}` }, 'no field is left'],
    [
      'with a name that Elasticsearch keeps',
      { sql: `SELECT id, 1 AS _source ${where}` },
      'documents.report.sql: "_source" is a name that Elasticsearch keeps for itself',
    ],
    [
      'with a value that holds another',
      { sql: `SELECT id, 1 AS a, 2 AS "a.b" ${where}` },
      '"a" cannot be a value and hold "a.b"',
    ],
    [
      'with a query that fails',
      { sql: 'SELECT id, titel FROM report WHERE id = ANY($1)' },
      'documents.report.sql: Postgres refuses the query (line 1)',
    ],
    [
      'with an unknown column',
      { dependsOn: { line: 'report' } },
      'documents.report.dependsOn["line"]: line has no column "report"',
    ],
    [
      'with an unknown table',
      { dependsOn: { 'public.lines': 'report_id' } },
      'documents.report.dependsOn["public.lines"]: there is no table',
    ],
    [
      'with a column of another type',
      { dependsOn: { line: 'comment' } },
      'report.id is bigint and line.comment is text: they cannot be compared',
    ],
    [
      'with a column too many',
      { dependsOn: { line: ['report_id', 'id'] } },
      "names 2 of line's columns, and the id has 1: id",
    ],
    [
      'with a table twice',
      { dependsOn: { line: 'report_id', 'public.line': 'id' } },
      'documents.report.dependsOn["public.line"]: line is there twice',
    ],
    ['with fields', { fields: ['title'] }, 'documents.report.fields: goes without "sql" only'],
    ['with a condition', { where: 'true' }, 'documents.report.where: goes without "sql" only'],
    [
      'without dependsOn',
      { dependsOn: {} },
      'documents.report.dependsOn: a document with "sql" needs "dependsOn"',
    ],
  ])('%s', async (_, change, message) => {
    const { mappings: _mappings, ...definition } = report
    expect(await refusal({ ...definition, ...change })).toContain(message)
  })

  it('that depends on a view, which has to be its tables', async () => {
    await createOwners('VIEW')
    expect(await refusal({ ...report, dependsOn: { line_owner: 'id' } })).toContain(
      'Name the tables that it reads',
    )
  })

  it('of a view with an address, which nobody could delete at', async () => {
    await createOwners('VIEW')
    expect(await refusal({ ...byOwner, routing: 'name' })).toContain(
      'documents.report.routing: a document of the view line_owner cannot have an address',
    )
  })

  it('of a view whose ids have several texts', async () => {
    await world.sql(
      'CREATE TABLE loose (id numeric, v int); CREATE VIEW loose_view AS SELECT DISTINCT id FROM loose',
    )
    const definition = {
      table: 'loose_view',
      id: ['id'],
      sql: 'SELECT id, v FROM loose WHERE id = ANY($1)',
      dependsOn: { loose: 'id' },
    }
    expect(await refusal(definition)).toContain('may write equal values differently')
  })
})
