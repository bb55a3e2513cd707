import { quoteIdentifier } from '../catalog/quote.ts'
import type { FieldMapping } from './field-types.ts'
import type { Field } from './fields.ts'
import { planValue } from './mapping.ts'
import { type Mappings, propertiesOf } from './merge.ts'
import type { Risk } from './problem-sql.ts'
import type { PlannedRelation, PlannedRow } from './rows.ts'
import { snippetSql } from './snippets.ts'
import { valueSql } from './value-sql.ts'

/** A document as a tree: values and relations of the row, by their numbers, and objects that hold them. */
export type DocumentNode =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'relation'; readonly relation: number }
  /** `whole`: null unless every value is there, for half a `geo_point` is refused. */
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, DocumentNode>; readonly whole: boolean }

/** What the view computes of a row. */
export interface ComputedRow {
  readonly row: PlannedRow
  /** SQL over the row's own table, to be printed by row_to_json. */
  readonly values: readonly string[]
  /** Values that Elasticsearch may be unable to hold. */
  readonly risks: readonly Risk[]
  readonly document: DocumentNode
  readonly relations: readonly ComputedRelation[]
}

export interface ComputedRelation {
  readonly relation: PlannedRelation
  readonly row: ComputedRow
}

/** The root row of a document → what its view selects. */
export function computeDocument(row: PlannedRow, mappings: Mappings): ComputedRow {
  return computeRow(row, [], mappings)
}

/** `path` leads to the row from the root of the document, and `mapping` is that of its object. */
function computeRow(row: PlannedRow, path: readonly string[], mapping: FieldMapping): ComputedRow {
  const values = row.fields.map((field) =>
    computeValue(row, field, [...path, ...field.path], mappingAt(mapping, field.path)),
  )
  const nodes = row.fields.map((field, value) => [field, { kind: 'value', value }] as const)
  const fields = objectOf(nodes, 0, mapping)
  row.relations.forEach(({ name }, relation) => {
    fields.set(name, { kind: 'relation', relation })
  })
  return {
    row,
    values: values.map(({ sql }) => sql),
    risks: values.flatMap(({ risk }) => risk ?? []),
    document: { kind: 'object', fields, whole: false },
    relations: row.relations.map((relation) =>
      computeRelation(relation, [...path, relation.name], mappingAt(mapping, [relation.name])),
    ),
  }
}

function computeRelation(
  relation: PlannedRelation,
  path: readonly string[],
  mapping: FieldMapping,
): ComputedRelation {
  const [field] = relation.row.fields
  if (!relation.flatten || field === undefined)
    return { relation, row: computeRow(relation.row, path, mapping) }
  const { sql, risk } = computeValue(relation.row, field, path, mapping)
  const document = { kind: 'value', value: 0 } as const
  const risks = risk === null ? [] : [risk]
  return { relation, row: { row: relation.row, values: [sql], risks, document, relations: [] } }
}

function computeValue(
  { table }: PlannedRow,
  { source, baseType, type }: Field,
  path: readonly string[],
  mapping: FieldMapping,
): { readonly sql: string; readonly risk: Risk | null } {
  const value =
    'sql' in source
      ? snippetSql(source.sql)
      : `${quoteIdentifier(table.name)}.${quoteIdentifier(source.column)}`
  const { encoding, hazard } = planValue({ type, baseType }, mapping)
  return {
    sql: valueSql(encoding, baseType, value),
    risk: hazard === null ? null : { field: path.join('.'), hazard, type: baseType, value },
  }
}

/** Fields → nested objects, each name at the place of its first field. */
function objectOf(
  nodes: readonly (readonly [Field, DocumentNode])[],
  depth: number,
  mapping: FieldMapping,
): Map<string, DocumentNode> {
  const fields = new Map<string, DocumentNode>()
  for (const [name, members] of Map.groupBy(nodes, ([field]) => field.path[depth] ?? '')) {
    const [first] = members
    const inner = propertiesOf(mapping)?.[name] ?? {}
    // The configuration made one field of several: 'place.lat' and 'place.lon' with place: { type: 'geo_point' }.
    const whole = inner.type !== undefined && inner.type !== 'object' && inner.type !== 'nested'
    if (first !== undefined && first[0].path.length === depth + 1) fields.set(name, first[1])
    else fields.set(name, { kind: 'object', fields: objectOf(members, depth + 1, inner), whole })
  }
  return fields
}

/** The mapping of a field of an object; empty where none is stated or derived. */
function mappingAt(mapping: FieldMapping, path: readonly string[]): FieldMapping {
  return path.reduce<FieldMapping>((inner, name) => propertiesOf(inner)?.[name] ?? {}, mapping)
}
