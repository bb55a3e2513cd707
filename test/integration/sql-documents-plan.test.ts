import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ConfigError, describeError } from '../../src/errors.ts'
import {
  byOwner,
  ownersSql,
  type QueryDefinition,
  report,
  type SqlWorld,
  sqlWorld,
  TABLES,
} from './sql-documents-world.ts'

/** What planning says of documents that a query makes; nothing is installed. */

let world: SqlWorld
beforeAll(async () => {
  world = await sqlWorld()
})
afterAll(() => world.drop())
beforeEach(() => world.sql(TABLES))
afterEach(() => world.sql('DROP SCHEMA public CASCADE; CREATE SCHEMA public'))

async function refusal(definition: QueryDefinition): Promise<string> {
  const error = await world.plan(definition).then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return describeError(error)
}

describe('what is not watched is said', () => {
  const warnings = async (definition: QueryDefinition) => (await world.plan(definition)).warnings

  it('of a table that the query reads, itself or by a view', async () => {
    const unwatched =
      'documents.report.sql: it reads customer, which nothing watches: name it in dependsOn, or run a backfill when it changes, or on a schedule (sluice backfill report)'
    expect(await warnings(report)).toEqual([unwatched])
    await world.sql(ownersSql('VIEW'))
    expect(await warnings(byOwner)).toEqual([unwatched])
  })

  it('of a materialized view, in whose place nothing else is named', async () => {
    await world.sql(ownersSql('MATERIALIZED VIEW'))
    expect(await warnings(byOwner)).toEqual([
      'documents.report.sql: it reads the materialized view line_owner, and a REFRESH leaves no mark: run sluice backfill report after each, and a verify where rows may have gone',
      'documents.report.table: no index on line_owner (id): each load of report documents reads the whole table. CREATE INDEX CONCURRENTLY ON public.line_owner (id)',
    ])
  })

  it('of an index that each load needs', async () => {
    await world.sql('DROP INDEX line_report_id_idx; CREATE TABLE other (id int PRIMARY KEY, report_id int)')
    const plan = await world.plan({ ...report, dependsOn: { line: 'report_id', other: 'report_id' } })
    expect(plan.missingIndexes).toEqual([
      {
        table: { schema: 'public', name: 'line' },
        columns: ['report_id'],
        why: 'each load of report documents',
        sql: 'CREATE INDEX CONCURRENTLY ON public.line (report_id)',
      },
    ])
    expect(plan.warnings.at(-1)).toBe(
      'documents.report.dependsOn["public.line"]: no index on line (report_id): each load of report documents reads the whole table. CREATE INDEX CONCURRENTLY ON public.line (report_id)',
    )
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
    await world.sql(ownersSql('VIEW'))
    expect(await refusal({ ...report, dependsOn: { line_owner: 'id' } })).toContain(
      'Name the tables that it reads',
    )
  })

  it('of a view with an address, which nobody could delete at', async () => {
    await world.sql(ownersSql('VIEW'))
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
