import type { ComputedRelation, ComputedRow } from './compute.ts'
import { nodeSql } from './node-sql.ts'
import { problemSql } from './problem-sql.ts'
import {
  betweenAlias,
  columnSql,
  linkedSql,
  linksDown,
  linksUp,
  type NamedSql,
  rowAlias,
  selectOf,
} from './table-sql.ts'

/** The SQL of a row's document, with all that belongs to it. */
export interface RowSql {
  /** Subquery for what is taken of the row's own table, and `also` besides. In FROM it is called `rowAlias(depth)`. */
  readonly base: (also: readonly NamedSql[]) => string
  /** What follows it in FROM; or ''. */
  readonly lateral: string
  /** The document: what row_to_json prints. */
  readonly document: string
  /** The first value that Elasticsearch cannot hold, as text; null where there can be none. */
  readonly problem: string | null
}

/**
 * Related rows are subqueries in the select list, not joins: of more tables than join_collapse_limit (8) the planner
 * may join some first, which reads them whole.
 *
 * 1,000 documents with three children each, PG 18 on a busy machine, medians of 31 interleaved rounds: subqueries 69 to
 * 77 ms, whatever collects the children (json_agg, array_to_json, string_agg, ARRAY), joins grouped by document 78 ms.
 * What costs is row_to_json, 18 ms of it without any children.
 */
export function rowSql({ row, values, risks, document, relations }: ComputedRow, depth: number): RowSql {
  const alias = rowAlias(depth)
  const related = `sluice_related_${depth}`
  const queries = relations.map((relation, n) => {
    const { sql, risky } = relationSql(relation, n, depth + 1)
    if (!risky) return { sql, once: null, problem: null }
    const name = `sluice_relation_${n + 1}`
    return {
      sql: `${related}.${name}[1]`,
      once: `${sql} AS ${name}`,
      problem: `${related}.${name}[2] #>> '{}'`,
    }
  })
  const own: readonly NamedSql[] = [
    ...values.map((sql, n) => [sql, `sluice_value_${n + 1}`] as const),
    ...relations.flatMap(({ relation }, n) =>
      linksDown(row.table, relation.through === null ? relation.on : relation.through.on, n),
    ),
    ...(risks.length === 0 ? [] : [[problemSql(risks), 'sluice_problem'] as const]),
  ]
  const problems = [
    ...(risks.length === 0 ? [] : [`${alias}.sluice_problem`]),
    ...queries.flatMap(({ problem }) => problem ?? []),
  ]
  const once = queries.flatMap((query) => query.once ?? [])
  return {
    base: (also) => selectOf(row.table, [...also, ...own], row.where),
    // Both its document and its problem are wanted; OFFSET 0 keeps the planner from running the subquery for each.
    lateral:
      once.length === 0 ? '' : `\nCROSS JOIN LATERAL (SELECT ${once.join(', ')} OFFSET 0) AS ${related}`,
    document: nodeSql(document, {
      value: (n) => `${alias}.sluice_value_${n + 1}`,
      relation: (n) => queries[n]?.sql ?? 'NULL',
    }),
    problem: problems.length > 1 ? `coalesce(${problems.join(', ')})` : (problems[0] ?? null),
  }
}

/**
 * The document of the rows of a relation, as a scalar subquery: json, or where it is `risky`, an array of that and of
 * the first problem as json. `n` is the relation's number in the row above, `depth` that of the related row.
 *
 * array_to_json prints no line breaks between the elements, as json_agg does, which `cleanJson` would have to take out.
 */
function relationSql(
  { relation, row }: ComputedRelation,
  n: number,
  depth: number,
): { readonly sql: string; readonly risky: boolean } {
  const alias = rowAlias(depth)
  const { base, lateral, document, problem } = rowSql(row, depth)
  const order = orderSql({ relation, row })
  const rows = base([
    ...linksUp(row.row.table, relation.on),
    ...order.map(({ sql }, m) => [sql, `sluice_order_${m + 1}`] as const),
  ])
  const sorted = order.map(({ suffix }, m) => `${alias}.sluice_order_${m + 1}${suffix}`).join(', ')
  const linked = linkRows(relation, rows, n, depth)
  const from =
    relation.limit === null
      ? `${linked.from}${lateral}\nWHERE ${linked.condition}`
      : // Before what belongs to each row is looked up.
        `(SELECT ${alias}.* FROM ${linked.from}\nWHERE ${linked.condition} ORDER BY ${sorted} LIMIT ${relation.limit}) AS ${alias}${lateral}`

  const one = relation.flatten ? `pg_catalog.to_json(${document})` : document
  const all = relation.many
    ? `coalesce(pg_catalog.array_to_json(pg_catalog.array_agg(${one} ORDER BY ${sorted})), '[]')`
    : one
  if (problem === null) return { sql: `(SELECT ${all} FROM ${from})`, risky: false }
  const first = relation.many ? `pg_catalog.min(${problem})` : problem
  return { sql: `(SELECT ARRAY[${all}, pg_catalog.to_json(${first})] FROM ${from})`, risky: true }
}

/** FROM item and condition for the rows that belong to the one above. */
function linkRows(
  { through, on }: ComputedRelation['relation'],
  rows: string,
  n: number,
  depth: number,
): { readonly from: string; readonly condition: string } {
  const alias = rowAlias(depth)
  const above = rowAlias(depth - 1)
  if (through === null) return { from: `(${rows}) AS ${alias}`, condition: linkedSql(on, alias, above, n) }
  const between = betweenAlias(depth)
  const links = selectOf(through.table, [
    ...linksUp(through.table, through.on),
    ...linksDown(through.table, on, 0),
  ])
  return {
    from: `(${links}) AS ${between} JOIN (${rows}) AS ${alias} ON ${linkedSql(on, alias, between, 0)}`,
    condition: linkedSql(through.on, between, above, n),
  }
}

/** Ties are broken, so that the same rows make the same document: by the key, or where there is none by all that is taken. */
function orderSql({ relation, row }: ComputedRelation): { readonly sql: string; readonly suffix: string }[] {
  if (!relation.many) return []
  const { table } = row.row
  const stated = relation.order.map(({ column, descending }) => ({
    sql: columnSql(table, column),
    suffix: descending ? ' DESC' : '',
  }))
  const [key] = table.uniqueKeys
  const named = new Set(relation.order.map(({ column }) => column))
  const ties =
    key === undefined
      ? [`ROW(${[...row.values, ...row.relations.flatMap(downs)].join(', ')})::text COLLATE "C"`]
      : key.filter((column) => !named.has(column)).map((column) => columnSql(table, column))
  return [...stated, ...ties.map((sql) => ({ sql, suffix: '' }))]

  function downs({ relation: inner }: ComputedRelation): string[] {
    return (inner.through ?? inner).on.map(({ here }) => columnSql(table, here))
  }
}
