import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseQuery } from '../../src/catalog/parse-query.ts'
import type { ParsedQuery } from '../../src/catalog/types.ts'
import { ConfigError, describeError } from '../../src/errors.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

let database: TestDatabase
let client: pg.PoolClient
const oids = new Map<string, number>()

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(`
    CREATE TABLE report (id bigint PRIMARY KEY, title text, hidden text);
    CREATE TABLE line (id int PRIMARY KEY, report_id bigint, amount numeric(10,2), note text, active bool, customer_id int);
    CREATE TABLE customer (id int PRIMARY KEY, name text, secret text);
    CREATE VIEW active_line AS SELECT report_id, amount, customer_id FROM line WHERE active;
    CREATE VIEW owner AS SELECT l.report_id AS id, c.name FROM active_line l JOIN customer c ON c.id = l.customer_id;
    CREATE VIEW random_line AS SELECT id, random() AS r FROM line;
    CREATE MATERIALIZED VIEW totals AS SELECT report_id AS id, sum(amount) AS total FROM line GROUP BY report_id;
    CREATE FUNCTION name_of(int) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT name FROM customer WHERE id = $1; END;
    CREATE FUNCTION hidden(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT secret FROM public.customer WHERE id = $1';
    CREATE FUNCTION plain(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';`)
  const { rows } = await database.pool.query<{ name: string; oid: number }>(
    `SELECT relname AS name, oid FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
  )
  for (const { name, oid } of rows) oids.set(name, oid)
})
afterAll(() => database.drop())
beforeEach(async () => {
  client = await database.pool.connect()
})
afterEach(() => client.release())

const parse = (
  sql: string,
  { root = 'report', parameters = ['pg_catalog.int8[]'] }: { root?: string; parameters?: string[] } = {},
): Promise<ParsedQuery> =>
  parseQuery(client, { sql, parameters, root: oids.get(root) ?? 0, where: 'documents.report.sql' })
const refusal = async (sql: string, options?: Parameters<typeof parse>[1]): Promise<string> => {
  const error = await parse(sql, options).then(
    () => new Error(`${sql} was not refused`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return describeError(error)
}
/** `line: amount, report_id`, by name. */
const readsOf = ({ reads }: ParsedQuery) =>
  Object.fromEntries(reads.map(({ name, kind, columns }) => [`${name} ${kind}`, columns]))

describe('a query', () => {
  it('has the columns that it returns, with their types', async () => {
    const { columns } = await parse(`
      SELECT r.id, upper(r.title) AS "the.title", sum(l.amount)::numeric(12,2) AS total, array_agg(l.id) AS lines,
             jsonb_agg(l.note) AS notes
        FROM report r LEFT JOIN line l ON l.report_id = r.id WHERE r.id = ANY($1) GROUP BY r.id -- the end`)
    expect(columns.map(({ name, type, baseType }) => [name, type, baseType.name, baseType.array])).toEqual([
      ['id', 'bigint', 'int8', false],
      ['the.title', 'text', 'text', false],
      ['total', 'numeric(12,2)', 'numeric', false],
      ['lines', 'integer[]', 'int4', true],
      ['notes', 'jsonb', 'jsonb', false],
    ])
  })

  it('reads the tables behind its views, and those behind the view of its ids', async () => {
    const parsed = await parse('SELECT id, name FROM owner WHERE id = ANY($1)', { root: 'owner' })
    expect(parsed.names).toEqual([{ schema: 'public', name: 'owner' }])
    expect(readsOf(parsed)).toEqual({
      'customer r': ['id', 'name'],
      'line r': ['report_id', 'amount', 'active', 'customer_id'],
    })
    const other = await parse('SELECT id, title FROM report WHERE id = ANY($1)', { root: 'owner' })
    expect(readsOf(other)).toEqual({
      'customer r': ['id', 'name'],
      'line r': ['report_id', 'amount', 'active', 'customer_id'],
      'report r': ['id', 'title'],
    })
  })

  it('reads what a function with a parsed body reads, and nothing is known of one with a text', async () => {
    const parsed = await parse('SELECT id, name_of(1) AS n, plain(2) AS p FROM report WHERE id = ANY($1)')
    expect(readsOf(parsed)).toEqual({ 'customer r': ['id', 'name'], 'report r': ['id'] })
    expect(parsed.opaque).toEqual([])
    expect((await parse('SELECT id, hidden(1) FROM report WHERE id = ANY($1)')).opaque).toEqual([
      'public.hidden',
    ])
  })

  it('reads a materialized view, and not what that was made of', async () => {
    const parsed = await parse('SELECT id, total FROM totals WHERE id = ANY($1)', { root: 'totals' })
    expect(readsOf(parsed)).toEqual({ 'totals m': ['id', 'total'] })
  })

  it('that takes whole rows uses all columns', async () => {
    const parsed = await parse('SELECT id, to_json(report) AS r FROM report WHERE id = ANY($1)')
    expect(readsOf(parsed)).toEqual({ 'report r': null })
  })

  it('may begin with WITH, be a UNION, and call its parameter by type', async () => {
    await parse('WITH r AS (SELECT * FROM report WHERE id = ANY($1)) SELECT id, title FROM r')
    await parse(
      'SELECT id, title FROM report WHERE id = ANY($1) UNION ALL SELECT id, title FROM report WHERE id = ANY($1)',
    )
    await parse(
      'SELECT u.id, (SELECT title FROM report r WHERE r.id = u.id LIMIT 1) AS t FROM unnest($1) AS u (id)',
    )
  })

  it('that asks for the time is taken, and says so', async () => {
    expect((await parse('SELECT id, now() AS at FROM report WHERE id = ANY($1)')).dependsOnTime).toBe(true)
    expect((await parse('SELECT id, 1 AS one FROM report WHERE id = ANY($1)')).dependsOnTime).toBe(false)
  })

  it('gets an array for each part of the id', async () => {
    const sql = 'SELECT report_id, id, note FROM line WHERE (report_id, id) IN (SELECT * FROM unnest($1, $2))'
    const parameters = ['pg_catalog.int8[]', 'pg_catalog.int4[]']
    expect((await parse(sql, { root: 'line', parameters })).columns.map(({ name }) => name)).toEqual([
      'report_id',
      'id',
      'note',
    ])
    expect(
      await refusal('SELECT report_id, id, note FROM line WHERE report_id = ANY($1)', { parameters }),
    ).toContain('documents.report.sql: it does not use $2')
  })

  it('leaves nothing behind, within a transaction of the caller too', async () => {
    await client.query('BEGIN')
    await parse('SELECT id, title FROM report WHERE id = ANY($1)')
    await refusal('SELECT id, nothing FROM report WHERE id = ANY($1)')
    await refusal('SELECT id, 1 / 0 AS n FROM report WHERE id = ANY($1)')
    await client.query('INSERT INTO report VALUES (77)')
    await client.query('ROLLBACK')
    const { rows } = await client.query(
      `SELECT (SELECT count(*)::int FROM pg_prepared_statements WHERE name ~ 'sluice') AS prepared,
              (SELECT count(*)::int FROM pg_proc WHERE proname ~ '^sluice_query') AS functions,
              current_setting('transaction_read_only') AS read_only, current_setting('row_security') AS row_security`,
    )
    expect(rows).toEqual([{ prepared: 0, functions: 0, read_only: 'off', row_security: 'on' }])
  })
})

describe('a query is refused', () => {
  const where = 'FROM report WHERE id = ANY($1)'
  it.each<[string, string, string]>([
    [
      'that Postgres does not understand',
      `SELECT id,\n  titel ${where}`,
      'line 2): column "titel" does not exist',
    ],
    ['with a semicolon', `SELECT id, title ${where};`, 'without a semicolon'],
    ['of two statements', `SELECT id, title ${where}; SELECT 1`, 'without a semicolon'],
    ['that closes our bracket', 'SELECT 1) AS q; SELECT * FROM (SELECT 2', 'syntax error'],
    ['that writes', 'INSERT INTO report VALUES (1) RETURNING id', 'Write a single SELECT'],
    [
      'that writes in WITH',
      'WITH w AS (DELETE FROM report WHERE id = ANY($1) RETURNING id) SELECT id, 1 AS n FROM w',
      'top level',
    ],
    ['that is no query', 'VACUUM report', 'syntax error'],
    ['that ignores the ids', 'SELECT id, title FROM report', 'it does not use $1'],
    ['with a parameter too many', `SELECT id, title ${where} AND id = $2`, 'there is no parameter $2'],
    ['that cuts rows off', `SELECT id, title ${where} LIMIT 10`, 'LIMIT, OFFSET and FETCH cut off documents'],
    [
      'that cuts first rows off',
      `SELECT id, title ${where} OFFSET 1`,
      'LIMIT, OFFSET and FETCH cut off documents',
    ],
    ['that locks rows', `SELECT id, title ${where} FOR UPDATE`, 'FOR UPDATE'],
    [
      'that calls something volatile',
      `SELECT id, random() AS r ${where}`,
      'calls random(), which is volatile',
    ],
    [
      'over a view that is volatile',
      'SELECT id, r FROM random_line WHERE id = ANY($1)',
      'calls random(), which is volatile',
    ],
    ['that reads the session', `SELECT id, current_user AS u ${where}`, 'a value of the session'],
    [
      'that reads a setting',
      `SELECT id, current_setting('timezone') AS u ${where}`,
      'differs between sessions',
    ],
    ['that reads a system column', `SELECT id, xmin::text AS x ${where}`, 'a system column'],
    [
      'with a column twice',
      'SELECT a.id, b.id FROM report a JOIN report b USING (title) WHERE a.id = ANY($1)',
      'returns "id" twice',
    ],
    ['with a column that has no name', `SELECT id, id + 1 ${where}`, 'column 2 of the query has no name'],
    ['with a record', `SELECT id, ROW(1, 2) AS r ${where}`, '"r" is record, which no field can hold'],
  ])('%s', async (_, sql, message) => {
    const refused = await refusal(sql)
    expect(refused).toContain('documents.report.sql')
    expect(refused).toContain(message)
  })

  it('that may not be read, with what has to be granted', async () => {
    await client.query(
      'CREATE ROLE sluice_reader; GRANT SELECT ON line TO sluice_reader; SET ROLE sluice_reader',
    )
    try {
      expect(await refusal(`SELECT id, title ${where}`)).toMatch(
        /permission denied for table report[\s\S]*SELECT on all/,
      )
    } finally {
      await client.query('RESET ROLE; DROP OWNED BY sluice_reader; DROP ROLE sluice_reader')
    }
  })
})
