import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { previewJson } from '../../src/answers/json/preview.ts'
import { workspace } from './cli-support.ts'
import { lines } from './install-world.ts'
import { byOwner, ownersSql, report, type SqlWorld, sqlWorld, TABLES } from './sql-documents-world.ts'

let world: SqlWorld
beforeAll(async () => {
  world = await sqlWorld()
})
afterAll(() => world.drop())
beforeEach(() => world.sql(TABLES))
afterEach(async () => {
  await world.uninstall()
  await world.sql('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
})

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
    await world.sql(ownersSql('VIEW'))
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
    const explained = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(explained).not.toContain('Seq Scan on line')
    // Planned as a part of ours, for the ids that are asked for.
    expect(explained).not.toContain('query_report')
  })
})
