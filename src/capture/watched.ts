import type pg from 'pg'
import { quoteIdentifier } from '../catalog/quote.ts'
import { readCatalog } from '../catalog/read-catalog.ts'
import type { Catalog, TableName } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Queryable } from '../postgres/types.ts'
import { type Inventory, readInventory } from './inventory.ts'

/** An installed document, as a migration meets it. */
export interface WatchedDocument {
  readonly name: string
  readonly plan: DocumentPlan
  readonly definition: DocumentDefinition
  /** pg_class.oid of its root table: it survives renaming, and tells a swapped table from the old one. */
  readonly relation: number
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
  const { rows } = await db.query<WatchedDocument>(
    `SELECT d.name, d.plan, d.definition, s.relation
       FROM ${quoteIdentifier(schema)}.sync_document d JOIN ${quoteIdentifier(schema)}.sync_source s ON s.document = d.name
      ORDER BY d.name`,
  )
  return rows
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
    [watched.map(({ relation }) => relation)],
  )
  const columns = new Map<number, Map<number, WatchedColumn>>()
  for (const { relation, number, name, type } of rows) {
    const known = columns.get(relation) ?? new Map<number, WatchedColumn>()
    columns.set(relation, known.set(number, { name, type }))
  }
  return columns
}

/** Names of the table's leaves by pg_class.oid. */
export function leavesOf({ catalog }: Snapshot, relation: number): ReadonlyMap<number, TableName> {
  const table = catalog.tables.find(({ oid }) => oid === relation)
  return new Map((table?.leaves ?? []).map((leaf) => [catalog.table(leaf)?.oid ?? 0, leaf]))
}

/** Fields that are made of a column, and the other parts of the definition that name it. */
export function partsUsing(
  { definition, plan }: Pick<WatchedDocument, 'definition' | 'plan'>,
  column: string,
): readonly string[] {
  const { fields, where } = definition
  const named = (sql: string) =>
    (sql.match(/"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []).some((word) =>
      word.startsWith('"')
        ? word.slice(1, -1).replaceAll('""', '"') === column
        : word.toLowerCase() === column,
    )
  const of = isList(fields)
    ? (fields ?? plan.columns.used).filter((name) => name === column)
    : Object.entries(fields).flatMap(([field, source]) =>
        (typeof source === 'string' ? source === column : named(source.sql)) ? [field] : [],
      )
  return [
    ...new Set([
      ...of,
      ...(plan.key.some(({ name }) => name === column) ? ['id'] : []),
      ...(where !== undefined && named(where) ? ['where'] : []),
    ]),
  ]
}

function isList(fields: DocumentDefinition['fields']): fields is readonly string[] | undefined {
  return fields === undefined || Array.isArray(fields)
}
