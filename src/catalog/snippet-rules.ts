import { ConfigError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import type { Construct, NodeTree } from './node-tree.ts'

export interface CalledFunction {
  readonly schema: string
  readonly name: string
  readonly volatility: 'i' | 's' | 'v'
  readonly arguments: number
  /** Member of an extension: unaccent() is STABLE, and reads no table. */
  readonly extension: boolean
}

const calledSql = `
  SELECT n.nspname AS schema, p.proname AS name, p.provolatile AS volatility, p.pronargs AS arguments,
         EXISTS (SELECT FROM pg_catalog.pg_depend d
                 WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') AS extension
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE p.oid = ANY ($1::oid[])
     OR p.oid IN (SELECT unnest(ARRAY[t.typinput::oid, t.typoutput::oid])
                  FROM pg_catalog.pg_type t WHERE t.oid = ANY ($2::oid[]))
  ORDER BY p.oid`

/** The functions a snippet runs, those behind its operators and its conversions through text included. */
export async function calledFunctions(client: Queryable, tree: NodeTree): Promise<readonly CalledFunction[]> {
  return (await client.query<CalledFunction>(calledSql, [tree.functions, tree.convertedTypes])).rows
}

export interface SnippetFindings {
  readonly dependsOnTime: boolean
  readonly warnings: readonly string[]
}

/** What is STABLE, but differs from session to session: the daemon's says nothing about the row. */
export const sessionFunctions: ReadonlySet<string> = new Set([
  'current_query',
  'current_schema',
  'current_schemas',
  'current_setting',
  'current_user',
  'has_any_column_privilege',
  'has_column_privilege',
  'has_schema_privilege',
  'has_table_privilege',
  'inet_client_addr',
  'inet_client_port',
  'pg_backend_pid',
  'pg_current_snapshot',
  'pg_current_xact_id',
  'pg_current_xact_id_if_assigned',
  'pg_has_role',
  'row_security_active',
  'session_user',
  'txid_current',
  'txid_current_if_assigned',
  'txid_current_snapshot',
])

const clockFunctions: ReadonlySet<string> = new Set(['now', 'statement_timestamp', 'transaction_timestamp'])

const remedies: Readonly<Record<Construct, string>> = {
  'sub-select':
    'A snippet sees one row of its own table. What is made of several rows or tables needs a document with "sql" and "dependsOn".',
  aggregate: 'A snippet sees one row. An aggregate needs a document with "sql" and "dependsOn".',
  'window function': 'A snippet sees one row. A window needs a document with "sql" and "dependsOn".',
  'set-returning function': 'A snippet returns one value for each row; collect several in an array.',
  'session value':
    'Use what is stored in the row: a role or a schema is the same for every row the daemon reads.',
}

/**
 * A snippet may depend on its row and, with a warning, on the clock. Anything else could change a document without
 * a mark, and then the index would stay wrong.
 *
 * @throws ConfigError
 */
export function judge(
  tree: NodeTree,
  functions: readonly CalledFunction[],
  sql: string,
  where: string,
): SnippetFindings {
  const refuse = (what: string, remedy: string) =>
    new ConfigError(`${JSON.stringify(sql)} ${what}`, { where, remedy })
  const [construct] = tree.constructs
  if (construct !== undefined)
    throw refuse(`contains ${construct === 'aggregate' ? 'an' : 'a'} ${construct}`, remedies[construct])
  if (tree.attributes.some((attribute) => attribute < 0)) {
    throw refuse(
      'reads a system column',
      'Use columns of your own: ctid, xmin and tableoid change without a change of the row.',
    )
  }
  for (const called of functions) {
    if (called.volatility === 'v') {
      throw refuse(
        `calls ${called.name}(), which is volatile: its value changes without a mark`,
        'Store the value in a column; what reads other tables needs a document with "sql" and "dependsOn".',
      )
    }
    if (called.schema === 'pg_catalog' && sessionFunctions.has(called.name)) {
      throw refuse(`calls ${called.name}(), which differs between sessions`, remedies['session value'])
    }
  }
  return {
    dependsOnTime: tree.readsClock || functions.some(readsClock),
    warnings: functions
      .filter(
        ({ schema, volatility, extension }) => volatility === 's' && schema !== 'pg_catalog' && !extension,
      )
      .map(
        ({ schema, name }) =>
          `${JSON.stringify(sql)} calls ${schema}.${name}(), which is STABLE: if it reads other tables, their changes leave no mark`,
      ),
  }
}

/** age(x) with one argument counts from today. */
export function readsClock({
  schema,
  name,
  arguments: count,
}: Pick<CalledFunction, 'schema' | 'name' | 'arguments'>): boolean {
  return schema === 'pg_catalog' && (clockFunctions.has(name) || (name === 'age' && count === 1))
}
