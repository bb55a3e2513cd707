import type pg from 'pg'
import { quoteIdentifier } from '../catalog/quote.ts'
import { readCatalog } from '../catalog/read-catalog.ts'
import type { Catalog, TableName } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import type { DocumentPlan, SourcePlan } from '../documents/types.ts'
import type { Queryable } from '../postgres/types.ts'
import { type Inventory, readInventory } from './inventory.ts'

/** An installed document, as a migration meets it. */
export interface WatchedDocument {
  readonly name: string
  readonly plan: DocumentPlan
  readonly definition: DocumentDefinition
  /** The root table first. */
  readonly tables: readonly WatchedTable[]
}

/** One of its tables, with all parts that it has in the document. */
export interface WatchedTable {
  /** pg_class.oid: it survives renaming, and tells a swapped table from the old one. */
  readonly relation: number
  readonly parts: readonly SourcePlan[]
}

export interface WatchedColumn {
  readonly name: string
  readonly type: string
}

/** pg_class.oid → pg_attribute.attnum → column: a number survives renaming. */
type Columns = ReadonlyMap<number, ReadonlyMap<number, WatchedColumn>>

/** What the documents stand on at one moment. */
export interface Snapshot {
  readonly catalog: Catalog
  readonly inventory: Inventory
  readonly columns: Columns
}

export async function readWatched(db: Queryable, schema: string): Promise<readonly WatchedDocument[]> {
  const { rows } = await db.query<
    Omit<WatchedDocument, 'tables'> & { sources: readonly { source: string; relation: number }[] }
  >(
    `SELECT d.name, d.plan, d.definition,
            json_agg(json_build_object('source', s.source, 'relation', s.relation::bigint) ORDER BY s.source COLLATE "C") AS sources
       FROM ${quoteIdentifier(schema)}.sync_document d JOIN ${quoteIdentifier(schema)}.sync_source s ON s.document = d.name
      GROUP BY d.name
      ORDER BY d.name`,
  )
  return rows.map(({ sources, ...document }) => ({
    ...document,
    tables: [...new Set(sources.map(({ relation }) => relation))].map((relation) => ({
      relation,
      parts: document.plan.sources.filter(({ source }) =>
        sources.some((noted) => noted.source === source && noted.relation === relation),
      ),
    })),
  }))
}

export async function readSnapshot(
  client: pg.ClientBase,
  schema: string,
  watched: readonly WatchedDocument[],
): Promise<Snapshot> {
  const columns = await readColumns(client, watched)
  return { catalog: await readCatalog(client), inventory: await readInventory(client, schema), columns }
}

export async function readColumns(
  client: pg.ClientBase,
  watched: readonly WatchedDocument[],
): Promise<Columns> {
  const { rows } = await client.query<{ relation: number; number: number; name: string; type: string }>(
    `SELECT attrelid AS relation, attnum::integer AS number, attname AS name, format_type(atttypid, atttypmod) AS type
       FROM pg_attribute WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped
      ORDER BY attrelid, attnum`,
    [relationsOf(watched)],
  )
  const columns = new Map<number, Map<number, WatchedColumn>>()
  for (const { relation, number, name, type } of rows) {
    const known = columns.get(relation) ?? new Map<number, WatchedColumn>()
    columns.set(relation, known.set(number, { name, type }))
  }
  return columns
}

/** pg_class.oid of all tables. */
export function relationsOf(watched: readonly WatchedDocument[]): number[] {
  return watched.flatMap(({ tables }) => tables.map(({ relation }) => relation))
}

/** Names of the table's leaves by pg_class.oid. */
export function leavesOf({ catalog }: Snapshot, relation: number): ReadonlyMap<number, TableName> {
  const table = catalog.tables.find(({ oid }) => oid === relation)
  return new Map((table?.leaves ?? []).map((leaf) => [catalog.table(leaf)?.oid ?? 0, leaf]))
}
