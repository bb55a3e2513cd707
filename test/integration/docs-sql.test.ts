import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/postgres/migrate.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

/** docs/sql.md is what the schema says of itself. After a change: npx vitest run test/integration/docs-sql.test.ts -u */

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await migrate(database.url, 'sluice')
})
afterAll(() => database.drop())

interface Relation {
  readonly name: string
  readonly comment: string
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly comment: string | null
  }[]
}

async function relations(kinds: readonly string[]): Promise<readonly Relation[]> {
  const { rows } = await database.pool.query<Relation>(
    `SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS comment,
            json_agg(json_build_object('name', attname, 'type', format_type(atttypid, atttypmod),
                                       'comment', col_description(c.oid, attnum)) ORDER BY attnum) AS columns
       FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
      WHERE relnamespace = 'sluice'::regnamespace AND relkind = ANY ($1::"char"[]) AND NOT relispartition
        AND c.relname <> 'sync_migration'
      GROUP BY c.oid ORDER BY c.relname COLLATE "C"`,
    [kinds],
  )
  return rows
}

function sectionOf({ name, comment, columns }: Relation): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')
  const rows = columns.map((one) => `| \`${one.name}\` | ${one.type} | ${cell(one.comment ?? '')} |`)
  return [`### ${name}`, comment, ['| column | type | |', '|---|---|---|', ...rows].join('\n')].join('\n\n')
}

test('docs/sql.md has every table, view and function of the schema', async () => {
  const { rows: functions } = await database.pool.query<{ name: string; returns: string; comment: string }>(
    `SELECT proname || '(' || pg_get_function_arguments(oid) || ')' AS name,
            pg_get_function_result(oid) AS returns, obj_description(oid, 'pg_proc') AS comment
       FROM pg_proc WHERE pronamespace = 'sluice'::regnamespace ORDER BY proname COLLATE "C", oid`,
  )
  const views = await relations(['v'])
  const tables = await relations(['r', 'p'])
  expect([views.length, tables.length, functions.length].every((count) => count > 5)).toBe(true)
  const page = [
    '# SQL',
    '<!-- Made by test/integration/docs-sql.test.ts from the schema. After a change there: npx vitest run test/integration/docs-sql.test.ts -u -->',
    "What is in sluice's schema (`SLUICE_SCHEMA`, by default `sluice`). Views and functions are for you; tables may be read, and are written to by sluice alone. Who may call what: [security.md](security.md).",
    '## Views',
    ...views.map(sectionOf),
    '## Functions',
    ...functions.map(({ name, returns, comment }) => `### ${name}\n\nReturns ${returns}. ${comment}`),
    '## Tables',
    ...tables.map(sectionOf),
  ]
  await expect(`${page.join('\n\n')}\n`).toMatchFileSnapshot('../../docs/sql.md')
})
