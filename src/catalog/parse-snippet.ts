import type { ClientBase, QueryConfig } from 'pg'
import { ConfigError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { readNodeTree } from './node-tree.ts'
import { quoteTable } from './quote.ts'
import { resolveTypes } from './resolve-types.ts'
import { calledFunctions, judge } from './snippet-rules.ts'
import { inSnippetTransaction } from './snippet-transaction.ts'
import { suggest } from './suggest.ts'
import { tableText } from './table-name.ts'
import type { ParsedSnippet, Table } from './types.ts'

/**
 * The snippet as the document's view will hold it, and a second form. The line breaks end a `--` comment. What
 * closes the bracket of one form (`1) AS value FROM x UNION SELECT (2`, `1 END, CASE WHEN true THEN 2`) is a
 * syntax error in the other, so that a snippet which passes both is one expression.
 */
const inParentheses = (sql: string, from: string) =>
  `CREATE TEMPORARY VIEW sluice_snippet AS SELECT (\n${sql}\n) AS value FROM ${from}`
const inCase = (sql: string, from: string) =>
  `CREATE TEMPORARY VIEW sluice_snippet_again AS SELECT CASE WHEN true THEN\n${sql}\nEND AS value FROM ${from}`

const viewSql = `
  SELECT r.ev_action::text AS tree,
         ARRAY(SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.ev_class AND a.attnum > 0) AS types,
         ARRAY(SELECT pg_catalog.format_type(a.atttypid, a.atttypmod)
               FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.ev_class AND a.attnum > 0) AS type_texts
  FROM pg_catalog.pg_rewrite r
  WHERE r.ev_class = 'pg_temp.sluice_snippet'::regclass`

interface ViewRow {
  readonly tree: string
  readonly types: readonly number[]
  readonly type_texts: readonly string[]
}

/**
 * Lets Postgres itself parse an SQL snippet over one table, as a temporary view that is rolled back, and says
 * what it reads and returns. Works within a transaction of the caller's or without one; changes nothing either way.
 *
 * @param where config path of the snippet, for messages
 * @throws ConfigError where Postgres refuses it, or where it depends on more than the row
 */
export async function parseSnippet(
  client: ClientBase,
  table: Table,
  sql: string,
  where: string,
): Promise<ParsedSnippet> {
  return inSnippetTransaction(client, async () => {
    const from = quoteTable(table)
    await explainErrors(() => runOne(client, inParentheses(sql, from)), table, sql, where)
    const view = (await client.query<ViewRow>(viewSql)).rows[0]
    const [type] = view?.types ?? []
    const [typeText] = view?.type_texts ?? []
    if (view === undefined || type === undefined || typeText === undefined || view.types.length !== 1) {
      throw notOneExpression(sql, where)
    }
    const tree = readNodeTree(view.tree)
    const findings = judge(tree, await calledFunctions(client, tree), sql, where)
    try {
      await runOne(client, inCase(sql, from))
    } catch (error) {
      throw isAboutSnippet(error) ? notOneExpression(sql, where) : error
    }
    const baseType = (await resolveTypes(client, [type])).get(type)
    if (baseType === undefined) throw notOneExpression(sql, where)
    const columns = await columnNames(client, table, tree.attributes)
    return { sql, columns, type: typeText, baseType, ...findings }
  })
}

/** The extended protocol takes one statement only: `1) AS value; DROP TABLE city; SELECT (1` gets nowhere. */
export async function runOne(client: ClientBase, text: string): Promise<void> {
  const query: QueryConfig & { readonly queryMode: 'extended' } = { text, queryMode: 'extended' }
  await client.query(query)
}

async function columnNames(
  client: ClientBase,
  table: Table,
  attributes: readonly number[],
): Promise<string[]> {
  // The whole row: to_json(city) reads whatever is there.
  if (attributes.includes(0)) return table.columns.map(({ name }) => name)
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum = ANY ($2) ORDER BY attnum`,
    [table.oid, attributes],
  )
  return rows.map(({ name }) => name)
}

function notOneExpression(sql: string, where: string): ConfigError {
  return new ConfigError(`${JSON.stringify(sql)} is not one SQL expression`, {
    where,
    remedy: 'Write a single expression over the columns of the table; check its parentheses.',
  })
}

async function explainErrors(
  run: () => Promise<void>,
  table: Table,
  sql: string,
  where: string,
): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (sqlState(error) === '42501') throw denied(error, where)
    if (!isAboutSnippet(error)) throw error
    const message = messageOf(error)
    throw new ConfigError(`Postgres refuses ${JSON.stringify(sql)}: ${message}`, {
      where,
      remedy: hint(error) ?? suggestion(message, table),
      cause: error,
    })
  }
}

function suggestion(message: string, table: Table): string {
  const unknown = /^column "(?:.*\.)?([^".]+)" does not exist/.exec(message)?.[1]
  if (unknown === undefined) return 'Correct the expression; it may use the columns of its own table only.'
  const columns = table.columns.map(({ name }) => name)
  return `${tableText(table)} has the columns ${columns.join(', ')}${suggest(unknown, columns)}.`
}

function denied(error: unknown, where: string): ConfigError {
  return new ConfigError(`Postgres does not let this role check the SQL: ${messageOf(error)}`, {
    where,
    remedy:
      'The role that installs needs TEMPORARY on the database, and USAGE on the schemas that the SQL names.',
    cause: error,
  })
}

/** Syntax and names (class 42), constants that are no value of their type (22), and what Postgres cannot do (0A, 54). */
export function isAboutSnippet(error: unknown): boolean {
  return /^(42|22|0A|54)/.test(sqlState(error) ?? '')
}

export function hint(error: unknown): string | undefined {
  return error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
}

/** On one line: the lexer's messages quote the rest of the statement. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ')
}
