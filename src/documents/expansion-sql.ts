import { quoteIdentifier, quoteLiteral, quoteTable } from '../catalog/quote.ts'
import type { ExpansionPlan } from './types.ts'

type View = Pick<ExpansionPlan, 'view' | 'links'>

/**
 * Query for the documents that some link values lead to, up to `mostOfEach` rows of each value: bounded, whatever the
 * data. Parameters: one text[] per part of the link, aligned, and the most rows in all. Returns `n` (1-based position of
 * the value) and `key` in the order of `n`, so that only the last value can be cut short by the limit.
 *
 * The arrays come as parameters of a statement without a name, so that the planner sees how many values they hold; LIMIT
 * within LATERAL makes it look each of them up by itself, on the index of the column one level up.
 */
export function probeSql(schema: string, { view, links }: View, mostOfEach: number): string {
  const arrays = links.map((type, n) => `$${n + 1}::${type}[]`)
  return [
    'SELECT k.n, x.key',
    `FROM unnest(${arrays.join(', ')}) WITH ORDINALITY AS k (${[...names(links), 'n'].join(', ')})`,
    'CROSS JOIN LATERAL (',
    `  SELECT v.key FROM ${quoteTable({ schema, name: view })} AS v WHERE ${sameLink(links)} LIMIT ${mostOfEach}`,
    ') AS x',
    `ORDER BY k.n LIMIT $${links.length + 1}`,
  ].join('\n')
}

/**
 * Query for the distinct documents, one column `key`, that some link values lead to, however many they are. The values
 * stand in it: it becomes part of a text of several statements, which takes no parameters.
 */
export function rootsSql(
  schema: string,
  { view, links }: View,
  values: readonly (readonly (string | null)[])[],
): string {
  const arrays = links.map(
    (type, n) => `ARRAY[${values.map((parts) => literal(parts[n])).join(', ')}]::${type}[]`,
  )
  return [
    'SELECT DISTINCT v.key',
    `FROM unnest(${arrays.join(', ')}) AS k (${names(links).join(', ')})`,
    `JOIN ${quoteTable({ schema, name: view })} AS v ON ${sameLink(links)}`,
  ].join('\n')
}

/** Fails with class 22 where a link's text is no value of its types. Parameters: its parts. */
export function castSql({ links }: Pick<ExpansionPlan, 'links'>): string {
  return `SELECT ${links.map((type, n) => `$${n + 1}::text::${type}`).join(', ')}`
}

const names = (links: readonly string[]): readonly string[] =>
  links.map((_, n) => quoteIdentifier(`link_${n + 1}`))

const sameLink = (links: readonly string[]): string =>
  names(links)
    .map((name) => `v.${name} = k.${name}`)
    .join(' AND ')

const literal = (part: string | null | undefined): string =>
  part === null || part === undefined ? 'NULL' : quoteLiteral(part)
