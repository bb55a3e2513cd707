import { quoteIdentifier } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { TableName } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import type { Queryable } from '../postgres/types.ts'
import { definitionPart, leftOut } from './parts-using.ts'

/** Columns that a table has got since the install of a document that takes all of them. */
export interface LaterColumns {
  readonly document: string
  /** `geo.city` */
  readonly table: string
  readonly columns: readonly string[]
  /** Where the document takes all of its columns: `documents.city`, `documents.city.relations.country`. */
  readonly places: readonly string[]
}

/**
 * "All columns" is frozen at `install`. What the document's view reads is what it was frozen to, by number, so that a
 * renamed column is none that came later.
 */
export async function readLaterColumns(db: Queryable, schema: string): Promise<readonly LaterColumns[]> {
  const { rows } = await db.query<Unread>(unreadSql(quoteIdentifier(schema)), [schema])
  const parts = rows.flatMap(({ document, definition, source, columns, ...table }) => {
    const omitted = leftOut(definition, source)
    const later = omitted === null ? [] : columns.filter((column) => !omitted.includes(column))
    const { path } = definitionPart(definition, source)
    const place = `documents.${document}${path === '' ? '' : `.${path}`}`
    return later.length === 0 ? [] : [{ document, table: tableText(table), columns: later, place }]
  })
  const tables = Map.groupBy(parts, ({ document, table }) => `${document} ${table}`)
  return [...tables.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const { document, table } = first
    const columns = [...new Set(same.flatMap((part) => part.columns))]
    return [{ document, table, columns, places: same.map(({ place }) => place) }]
  })
}

export function laterColumnsText({ table, columns, places }: Omit<LaterColumns, 'document'>): string {
  return `${table} has got ${columns.join(', ')} since the install, and ${places.join(' and ')} takes all columns`
}

interface Unread extends TableName {
  readonly document: string
  readonly definition: DocumentDefinition
  readonly source: string
  /** Of the table, and not read by the view. */
  readonly columns: readonly string[]
}

/** Rides the indexes of the catalog. Documents of a query say themselves what they take. */
function unreadSql(s: string): string {
  return `
    SELECT d.name AS document, d.definition, s.source, tn.nspname AS schema, t.relname AS name,
           array_agg(a.attname::text ORDER BY a.attnum) AS columns
      FROM ${s}.sync_document d
      JOIN ${s}.sync_source s ON s.document = d.name
      JOIN pg_catalog.pg_namespace n ON n.nspname = $1
      JOIN pg_catalog.pg_class v ON v.relname = (d.plan ->> 'view')::name AND v.relnamespace = n.oid
      JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
      JOIN pg_catalog.pg_class t ON t.oid = s.relation
      JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE NOT d.definition ? 'sql'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend u
                        WHERE u.classid = 'pg_catalog.pg_rewrite'::regclass AND u.objid = w.oid
                          AND u.refclassid = 'pg_catalog.pg_class'::regclass
                          AND u.refobjid = t.oid AND u.refobjsubid = a.attnum)
     GROUP BY d.name, s.source, tn.nspname, t.relname
     ORDER BY d.name, s.source`
}
