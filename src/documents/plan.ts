import type { Catalog } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { planAddress } from './address.ts'
import { computeDocument } from './compute.ts'
import { planKey } from './key-columns.ts'
import { loadSql } from './load.ts'
import { flattenSettings } from './merge.ts'
import { missingIndexes } from './missing-indexes.ts'
import { viewName } from './names.ts'
import { planMappings } from './plan-mappings.ts'
import { planTable } from './root-table.ts'
import { planRow } from './rows.ts'
import type { ParsedSnippets } from './snippets.ts'
import { inOrder, planSources, usedColumns } from './source.ts'
import type { DocumentPlan } from './types.ts'
import { viewSql } from './view.ts'
import { warningsOf } from './warnings.ts'

export interface PlanInput {
  /** Name of the document. */
  readonly name: string
  readonly definition: DocumentDefinition
  readonly catalog: Catalog
  /** What Postgres made of each of `snippetsOf`, by `snippetKey`. */
  readonly snippets: ParsedSnippets
  /** Our schema. */
  readonly schema: string
}

/** Tombstones of deleted documents: with the default of 60 s an older write could bring one back to life. */
export const ourSettings = { 'index.gc_deletes': '1h' }

/**
 * Compiles a definition against the catalog. Pure, and plain JSON: it is stored and never made again.
 *
 * @throws ConfigError that names the path in the configuration
 */
export function planDocument(input: PlanInput): DocumentPlan {
  const { name, definition, catalog, snippets, schema } = input
  const at = `documents.${name}`
  const table = planTable(`${at}.table`, definition.table, catalog, schema)
  const { key: id, walkOrder } = planKey(name, definition, table)
  const { key, address } = planAddress(at, definition, table, id)
  const root = planRow({
    at,
    path: '',
    definition,
    table,
    tableName: definition.table,
    catalog,
    snippets,
    schema,
  })
  const mappings = planMappings(root, definition.mappings ?? {})
  const view = viewName(name)
  const used = inOrder(table, [...usedColumns(root), ...key.map((part) => part.name)])
  const missing = missingIndexes(catalog, name, root)
  return {
    document: name,
    table: { schema: table.schema, name: table.name },
    key,
    walkOrder,
    idParts: id.length,
    address,
    ...(definition.tenant === undefined ? {} : { tenant: definition.tenant }),
    view,
    viewSql: viewSql({ schema, view, key, document: computeDocument(root, mappings) }),
    loadSql: loadSql(schema, view, id),
    index: definition.index,
    mappings,
    settings: { ...ourSettings, ...flattenSettings(definition.settings ?? {}) },
    pipeline: definition.pipeline ?? null,
    transform: definition.transform !== undefined,
    sources: planSources({ catalog, schema, document: name, root, key, id }),
    missingIndexes: missing.map(({ at: _at, ...index }) => index),
    columns: {
      used,
      omitted: table.columns.map((column) => column.name).filter((column) => !used.includes(column)),
    },
    warnings: warningsOf({ at, name, definition, root, snippets, missing }),
  }
}
