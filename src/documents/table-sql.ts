import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import type { TableName } from '../catalog/types.ts'
import { equalSql, type LinkPair } from './links.ts'
import { snippetSql } from './snippets.ts'

/** SQL, and the name it gets as a column: one of ours, which needs no quotes. */
export type NamedSql = readonly [sql: string, name: string]

/**
 * What a row is called in a query. All names of ours begin with `sluice_`: a snippet that means its whole row by its
 * table's name would otherwise take a column of that name further out instead.
 */
export const rowAlias = (depth: number) => `sluice_row_${depth}`
export const betweenAlias = (depth: number) => `sluice_between_${depth}`

/**
 * A subquery over one table, without an alias, so that no column of a snippet is ambiguous, however often its table
 * is in the document. All else is built around such ones.
 */
export function selectOf(table: TableName, columns: readonly NamedSql[], where?: string): string {
  const list = columns.map(([sql, name]) => `${sql} AS ${name}`).join(', ')
  const condition = where === undefined ? '' : ` WHERE ${snippetSql(where)}`
  return `SELECT ${list} FROM ${quoteTable(table)}${condition}`
}

export function columnSql(table: TableName, column: string): string {
  return `${quoteIdentifier(table.name)}.${quoteIdentifier(column)}`
}

/** The columns of a table that its relation number `n` looks down from. */
export function linksDown(table: TableName, pairs: readonly LinkPair[], n: number): NamedSql[] {
  return pairs.map(({ here }, m) => [columnSql(table, here), `sluice_down_${n + 1}_${m + 1}`])
}

/** The columns of a related table that are looked for. */
export function linksUp(table: TableName, pairs: readonly LinkPair[]): NamedSql[] {
  return pairs.map(({ there }, m) => [columnSql(table, there), `sluice_up_${m + 1}`])
}

/** That a row belongs to one above it, as its relation number `n`. */
export function linkedSql(pairs: readonly LinkPair[], row: string, above: string, n: number): string {
  return pairs
    .map((pair, m) => equalSql(pair, `${row}.sluice_up_${m + 1}`, `${above}.sluice_down_${n + 1}_${m + 1}`))
    .join(' AND ')
}
