import { tableText } from '../catalog/table-name.ts'
import type { Catalog, ParsedQuery, QueryRead, TableName } from '../catalog/types.ts'
import { tableWarnings } from './root-table.ts'
import type { QueryRoot } from './sql-root.ts'
import { isRead, sameTable } from './sql-sources.ts'
import type { SourcePlan } from './types.ts'

export interface WarningsInput {
  readonly document: string
  readonly root: QueryRoot
  readonly query: ParsedQuery
  readonly sources: readonly SourcePlan[]
  readonly catalog: Catalog
}

/** What changes a document of a query without a mark, and what to do about it. */
export function queryWarnings({ document, root, query, sources, catalog }: WarningsInput): string[] {
  const at = `documents.${document}`
  const watched = [...new Set(sources.map(({ table }) => tableText(table)))].flatMap(
    (text) => sources.find(({ table }) => tableText(table) === text)?.table ?? [],
  )
  const backfill = `run a backfill when it changes, or on a schedule (sluice backfill ${document})`
  const unwatched = query.reads.filter((read) => !watched.some((table) => isPartOf(read, table, catalog)))
  return [
    ...watched.flatMap((table) => tableWarnings(catalog.table(table) ?? root.table)),
    ...unwatched.map((read) => `${at}.sql: it reads ${unwatchedText(read, document, backfill)}`),
    ...query.opaque.map(
      (called) =>
        `${at}.sql: it calls ${called}(), of which Postgres does not know what it reads: name those tables in dependsOn`,
    ),
    ...(query.dependsOnTime
      ? [`${at}.sql: it depends on the time, which passes without a mark: ${backfill}`]
      : []),
    ...sources
      .filter(({ source }) => source !== '')
      .flatMap(({ table }) => unreadText(at, table, query, catalog)),
  ]
}

function unwatchedText(read: QueryRead, document: string, backfill: string): string {
  const name = tableText(read)
  switch (read.kind) {
    case 'm':
      return `the materialized view ${name}, and a REFRESH leaves no mark: run sluice backfill ${document} after each, and a verify where rows may have gone`
    case 'f':
      return `the foreign table ${name}, whose changes on its server leave no mark here: ${backfill}`
    default:
      return `${name}, which nothing watches: name it in dependsOn, or ${backfill}`
  }
}

/** The table itself, or a partition of it at any depth. */
function isPartOf(read: TableName, table: TableName, catalog: Catalog): boolean {
  if (sameTable(read, table)) return true
  const parent = catalog.table(read)?.partitionOf ?? null
  return parent !== null && isPartOf(parent, table, catalog)
}

function unreadText(at: string, name: TableName, query: ParsedQuery, catalog: Catalog): string[] {
  const table = catalog.table(name)
  if (table === undefined || isRead(table, query) || query.opaque.length > 0) return []
  const path = `${at}.dependsOn[${JSON.stringify(`${name.schema}.${name.name}`)}]`
  return [
    `${path}: the query does not read ${tableText(name)}, so that its changes are looked at for nothing`,
  ]
}
