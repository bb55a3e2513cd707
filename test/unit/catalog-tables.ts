import type { BaseType, Column, Table } from '../../src/catalog/types.ts'

/** A type of Postgres itself. */
export const base = (name: string): BaseType => ({ name, schema: 'pg_catalog', kind: 'base', array: false })

/** A column as the catalog tells it, never null where its name is `id`. */
export const column = (name: string, type = 'int4', more: Partial<Column> = {}): Column => ({
  name,
  type,
  baseType: base(type),
  notNull: name === 'id',
  generated: 'no',
  generatedFrom: [],
  ...more,
})

/** A table of the schema `geo`, with the primary key `id`. */
export const table = (name: string, columns: readonly Column[], more: Partial<Table> = {}): Table => ({
  oid: name.length,
  schema: 'geo',
  name,
  kind: 'r',
  columns,
  primaryKey: ['id'],
  uniqueKeys: [['id']],
  indexes: [{ columns: ['id'], unique: true }],
  foreignKeys: [],
  leaves: [],
  inherits: false,
  partitionOf: null,
  unlogged: false,
  rowSecurity: false,
  subscribed: false,
  estimatedRows: null,
  comment: null,
  ...more,
})
