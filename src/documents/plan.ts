import { suggest } from '../catalog/suggest.ts'
import type { Catalog, ParsedSnippet } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { ConfigError } from '../errors.ts'
import { computeDocument } from './compute.ts'
import { type Field, planFields } from './fields.ts'
import { planKey } from './key-columns.ts'
import { loadSql } from './load.ts'
import { deriveMapping } from './mapping.ts'
import { flattenSettings, isRecord, type Mappings, mergeMappings, propertiesOf } from './merge.ts'
import { planTable, tableWarnings } from './root-table.ts'
import { snippetsOf } from './snippets.ts'
import { planSource, usedColumns } from './source.ts'
import type { DocumentPlan } from './types.ts'
import { viewName, viewSql } from './view.ts'

export interface PlanInput {
  /** Name of the document. */
  readonly name: string
  readonly definition: DocumentDefinition
  readonly catalog: Catalog
  /** What Postgres made of each text of `snippetsOf`. */
  readonly snippets: ReadonlyMap<string, ParsedSnippet>
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
export function planDocument({ name, definition, catalog, snippets, schema }: PlanInput): DocumentPlan {
  const at = `documents.${name}`
  const table = planTable(`${at}.table`, definition.table, catalog, schema)
  const { key, walkOrder } = planKey(name, definition, table)
  const fields = planFields({ name, definition, table, snippets })
  refuseOtherThanCondition(definition.where, snippets, `${at}.where`)
  const mappings = planMappings(fields, definition.mappings ?? {})
  const { document, risks } = computeDocument(fields, table, mappings)
  const view = viewName(name)
  const used = usedColumns(table, key, fields, conditionColumns(definition.where, snippets))
  return {
    document: name,
    table: { schema: table.schema, name: table.name },
    key,
    walkOrder,
    idParts: key.length,
    address: { tenant: null, routing: null },
    view,
    viewSql: viewSql({ schema, view, table, key, document, risks, where: definition.where }),
    loadSql: loadSql(schema, view, key),
    index: definition.index,
    mappings,
    settings: { ...ourSettings, ...flattenSettings(definition.settings ?? {}) },
    pipeline: definition.pipeline ?? null,
    transform: definition.transform !== undefined,
    sources: [planSource(table, key, used)],
    missingIndexes: [],
    columns: {
      used,
      omitted: table.columns.map((column) => column.name).filter((column) => !used.includes(column)),
    },
    warnings: [
      ...tableWarnings(table),
      ...snippetWarnings(name, definition, snippets),
      ...unknownMappings(at, fields, definition.mappings ?? {}),
    ],
  }
}

function refuseOtherThanCondition(
  where: string | undefined,
  snippets: ReadonlyMap<string, ParsedSnippet>,
  path: string,
): void {
  if (where === undefined) return
  const parsed = snippets.get(where)
  if (parsed === undefined)
    throw new Error(`the snippet ${JSON.stringify(where)} was not parsed before planning`)
  if (parsed.baseType.name === 'bool' && !parsed.baseType.array) return
  throw new ConfigError(`${JSON.stringify(where)} is ${parsed.type}, and a condition is needed`, {
    where: path,
    remedy: 'Compare it with something: the result must be boolean.',
  })
}

function conditionColumns(
  where: string | undefined,
  snippets: ReadonlyMap<string, ParsedSnippet>,
): readonly string[] {
  return (where === undefined ? undefined : snippets.get(where)?.columns) ?? []
}

/** Strict: a field that nobody declared is a mistake, and a guessed mapping cannot be taken back. */
export function planMappings(fields: readonly Field[], stated: Readonly<Record<string, unknown>>): Mappings {
  const properties: Record<string, unknown> = {}
  for (const field of fields) properties[field.path.join('.')] = deriveMapping(field)
  return mergeMappings({ dynamic: 'strict', properties: propertiesOf({ properties }) ?? {} }, stated)
}

function snippetWarnings(
  name: string,
  definition: DocumentDefinition,
  snippets: ReadonlyMap<string, ParsedSnippet>,
): string[] {
  return snippetsOf(name, definition).flatMap(({ path, sql }) => {
    const parsed = snippets.get(sql)
    const time = `${path}: ${JSON.stringify(sql)} depends on the time, which passes without a mark: run a backfill of the rows that time changes, on a schedule (sluice backfill ${name} --where '…')`
    return [
      ...(parsed?.dependsOnTime ? [time] : []),
      ...(parsed?.warnings ?? []).map((text) => `${path}: ${text}`),
    ]
  })
}

/** A name in `mappings` that no field has is allowed (it costs nothing), and probably a slip. */
export function unknownMappings(
  at: string,
  fields: readonly Field[],
  stated: Readonly<Record<string, unknown>>,
): string[] {
  if (!isRecord(stated.properties)) return []
  const known = new Set(fields.flatMap(({ path }) => path.slice(0, 1)))
  return Object.keys(propertiesOf(stated) ?? {})
    .filter((name) => !known.has(name))
    .map(
      (name) =>
        `${at}.mappings.properties.${name}: the document has no field ${JSON.stringify(name)}${suggest(name, known)}`,
    )
}
