import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import type { ParsedQuery } from '../catalog/types.ts'
import type { ComputedRow } from './compute.ts'
import { queryName } from './names.ts'
import { nodeSql } from './node-sql.ts'
import { problemSql } from './problem-sql.ts'
import type { QueryFields } from './sql-fields.ts'
import { type QueryRoot, queryParameters } from './sql-root.ts'
import type { QueryFunction } from './types.ts'

/** Alias of the user's query in ours. */
export const QUERY = 'q'

export interface FunctionInput {
  readonly schema: string
  readonly document: string
  readonly root: QueryRoot
  readonly query: ParsedQuery
  /** The query's columns for the parts of the id. */
  readonly id: QueryFields['id']
  readonly computed: ComputedRow
}

/**
 * The function that runs a query for some ids. Its parameters have no names, for a misspelt column of the query would
 * find them. Written so that Postgres puts it in the place of its call (one SELECT, STABLE, no settings), and plans the
 * query for the ids that are asked for.
 */
export function queryFunction(input: FunctionInput): QueryFunction {
  const { schema, document, root, query, id, computed } = input
  const name = queryName(document)
  const signature = `${quoteIdentifier(name)}(${queryParameters(root).join(', ')})`
  const keys = root.id.map(({ type }, n) => `key_${n + 1} ${type}`)
  const values = id.map(
    (column, n) => `    ${QUERY}.${quoteIdentifier(column.name)}::${root.id[n]?.type} AS key_${n + 1}`,
  )
  const node = nodeSql(computed.document, {
    value: (n) => computed.values[n] ?? 'NULL',
    relation: () => 'NULL',
  })
  const sql = `CREATE FUNCTION ${quoteIdentifier(schema)}.${signature}
RETURNS TABLE (${keys.join(', ')}, document text, problem text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT
${[...values, `    ${node}::text AS document`, `    ${problemSql(computed.risks)} AS problem`].join(',\n')}
  FROM (
${query.sql}
) AS ${QUERY};
END`
  return { name, signature, sql, names: query.names }
}

/**
 * Query for the current documents of some keys; `DocumentPlan.loadSql`. A row of the root has a document where the query
 * returns one: what the query returns beyond that is left out, for no walk would find it. The same condition on the root's
 * columns again, as one on constants: a view that aggregates lets no join in.
 *
 * Two rows of one id are no document, and which of them came last would be chance.
 */
export function queryLoadSql(schema: string, view: string, name: string, root: QueryRoot): string {
  const names = root.id.map((_, n) => `key_${n + 1}`)
  const arrays = root.id.map(({ type }, n) => `$${n + 1}::${type}[]`)
  const same = (a: string, b: string) => names.map((part) => `${a}.${part} = ${b}.${part}`).join(' AND ')
  return [
    'SELECT k.n, v.key, q.document,',
    "  CASE WHEN count(*) OVER (PARTITION BY k.n) > 1 THEN 'the query returns several rows of this id' ELSE q.problem END AS problem",
    `FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS k (${names.join(', ')}, n)`,
    `JOIN ${quoteTable({ schema, name: view })} AS v ON ${same('v', 'k')}`,
    `JOIN ${quoteTable({ schema, name })}(${arrays.join(', ')}) AS q ON ${same('q', 'k')}`,
    `WHERE ${names.map((part, n) => `v.${part} = ANY (${arrays[n]})`).join(' AND ')}`,
  ].join('\n')
}
