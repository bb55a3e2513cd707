import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { quoteIdentifier } from '../../../src/catalog/quote.ts'

/** Databases as people have them, small, and what `init` is to make of them. */
export interface Sample {
  /** Its SQL is `<name>.sql`. */
  readonly name: 'film-rental' | 'shop' | 'campus'
  /** The index of each table that becomes a document, without the tag; `public.city` is `public_city`, the name being taken. */
  readonly indices: Readonly<Record<string, string>>
  /** Why tables do not become one. */
  readonly leftOut: Readonly<Record<string, string>>
  /** Columns that their documents go without, of tables of `indices`. */
  readonly omitted: Readonly<Record<string, readonly string[]>>
  /** A DELETE, and how many rows it takes of each table, others going with it by ON DELETE CASCADE. */
  readonly delete: {
    readonly table: string
    readonly where: string
    readonly gone: Readonly<Record<string, number>>
  }
}

export const filmRental: Sample = {
  name: 'film-rental',
  indices: {
    language: 'language',
    film: 'film',
    actor: 'actor',
    film_actor: 'film_actor',
    staff: 'staff',
    rental: 'rental',
    payment: 'payment',
  },
  leftOut: { rental_by_film: 'is a materialized view' },
  omitted: { staff: ['password'] },
  delete: { table: 'film', where: 'film_id = 1', gone: { film: 1, film_actor: 2, rental: 2 } },
}

export const shop: Sample = {
  name: 'shop',
  indices: {
    Categories: 'categories',
    Customers: 'customers',
    Products: 'products',
    Orders: 'orders',
    'Order Details': 'order_details',
    order_details: 'public.order_details',
    'US States': 'us_states',
    Imported: 'imported',
  },
  leftOut: { Visits: 'has no primary key', Vouchers: 'has no primary key' },
  omitted: { Imported: ['_id', '_source', 'Size.Width'] },
  delete: { table: 'Orders', where: `"OrderID" = 10248`, gone: { Orders: 1, 'Order Details': 2 } },
}

export const campus: Sample = {
  name: 'campus',
  indices: {
    'user.group': 'group',
    'user.account': 'user.account',
    'billing.account': 'account',
    'billing.invoice': 'invoice',
    account: 'public.account',
  },
  leftOut: {},
  omitted: { 'user.account': ['api_key'] },
  delete: {
    table: 'user.account',
    where: `handle = 'ada'`,
    gone: { 'user.account': 1, 'billing.account': 2 },
  },
}

/** `user.tag_group`: an index gets its table's name, which in one Elasticsearch for all tests must be nobody else's. */
export function tagged(tag: string, table: string): string {
  const [schema, name] = table.includes('.') ? table.split('.', 2) : [null, table]
  return schema === null ? `${tag}_${name}` : `${schema}.${tag}_${name}`
}

export function taggedIndex(tag: string, index: string): string {
  return tagged(tag, index).replace('.', '_')
}

/** As SQL has it: `"user"."t1_group"`. */
export function taggedSql(tag: string, table: string): string {
  return tagged(tag, table).split('.').map(quoteIdentifier).join('.')
}

/** Makes its tables, and renames all but partitions and views, which refer to tables by what they are, not by name. */
export async function loadSample(pool: Pool, { name }: Sample, tag: string): Promise<void> {
  await pool.query(await readFile(join(import.meta.dirname, `${name}.sql`), 'utf8'))
  const { rows } = await pool.query<{ statement: string }>(
    `SELECT format('ALTER TABLE %s RENAME TO %I', oid::regclass, $1 || '_' || relname) AS statement
     FROM pg_class
     WHERE relkind IN ('r', 'p', 'm') AND NOT relispartition
       AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
       AND relnamespace::regnamespace::text !~ '^pg_toast'`,
    [tag],
  )
  for (const { statement } of rows) await pool.query(statement)
}
