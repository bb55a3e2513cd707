import type { Catalog, ParsedQuery, Table } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { computeDocument } from './compute.ts'
import { flattenSettings } from './merge.ts'
import { missingText } from './missing-indexes.ts'
import { viewName } from './names.ts'
import { ourSettings } from './plan.ts'
import { planMappings, unknownMappings } from './plan-mappings.ts'
import type { PlannedRow } from './rows.ts'
import { planQueryFields } from './sql-fields.ts'
import { QUERY, queryFunction, queryLoadSql } from './sql-function.ts'
import { queryMissingIndexes } from './sql-indexes.ts'
import { planQueryRoot } from './sql-root.ts'
import { planQuerySources, rootColumns } from './sql-sources.ts'
import { keysViewSql } from './sql-view.ts'
import { queryWarnings } from './sql-warnings.ts'
import type { DocumentPlan } from './types.ts'

export interface QueryPlanInput {
  /** Name of the document. */
  readonly name: string
  readonly definition: DocumentDefinition
  readonly catalog: Catalog
  /** What Postgres made of `sql`, with the `queryParameters` of the root. */
  readonly query: ParsedQuery
  /** Our schema. */
  readonly schema: string
}

/**
 * Compiles a document that a query makes (`sql`). As `planDocument`, with a function of the query in place of the view:
 * the view only says which keys there are.
 *
 * @throws ConfigError that names the path in the configuration
 */
export function planQueryDocument({
  name,
  definition,
  catalog,
  query,
  schema,
}: QueryPlanInput): DocumentPlan {
  const at = `documents.${name}`
  const root = planQueryRoot(name, definition, catalog, schema)
  const { table, key, walkOrder, address } = root
  const { id, fields } = planQueryFields(`${at}.sql`, query, root.id, table)
  const stated = definition.mappings ?? {}
  const row = rowOf(query, table, fields)
  const mappings = planMappings(row, stated)
  const computed = computeDocument(row, mappings)
  const view = viewName(name)
  const made = queryFunction({ schema, document: name, root, query, id, computed })
  const sources = planQuerySources({
    document: name,
    dependsOn: definition.dependsOn ?? {},
    root,
    query,
    catalog,
    schema,
  })
  const used = rootColumns(root, query)
  const missing = queryMissingIndexes({ document: name, root, query, sources, catalog })
  return {
    document: name,
    table: { schema: table.schema, name: table.name },
    key,
    walkOrder,
    idParts: root.id.length,
    address,
    ...(definition.tenant === undefined ? {} : { tenant: definition.tenant }),
    view,
    viewSql: keysViewSql(schema, view, root),
    query: made,
    loadSql: queryLoadSql(schema, view, made.name, root),
    index: definition.index,
    mappings,
    settings: { ...ourSettings, ...flattenSettings(definition.settings ?? {}) },
    pipeline: definition.pipeline ?? null,
    transform: definition.transform !== undefined,
    sources,
    missingIndexes: missing.map(({ at: _at, ...index }) => index),
    columns: {
      used,
      omitted: table.columns.map((column) => column.name).filter((column) => !used.includes(column)),
    },
    warnings: [
      ...queryWarnings({ document: name, root, query, sources, catalog }),
      ...unknownMappings(at, row, stated),
      ...missing.map(missingText),
    ],
  }
}

/** What the query returns, as a row of a table that is called like its alias. */
function rowOf({ columns }: ParsedQuery, root: Table, fields: PlannedRow['fields']): PlannedRow {
  const table: Table = {
    ...root,
    name: QUERY,
    columns: columns.map((column) => ({ ...column, notNull: false, generated: 'no', generatedFrom: [] })),
  }
  return { table, fields, where: undefined, whereColumns: [], relations: [] }
}
