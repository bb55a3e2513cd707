import { quoteIdentifier } from '../catalog/quote.ts'
import type { Table } from '../catalog/types.ts'
import type { FieldMapping } from './field-types.ts'
import type { Field } from './fields.ts'
import { planValue } from './mapping.ts'
import { type Mappings, type Properties, propertiesOf } from './merge.ts'
import type { Risk } from './problem-sql.ts'
import { valueSql } from './value-sql.ts'
import { type DocumentNode, snippetSql } from './view.ts'

export interface Computed {
  readonly document: DocumentNode
  readonly risks: readonly Risk[]
}

/** Fields → what the view selects: nested objects of values, and the values that may not fit. */
export function computeDocument(fields: readonly Field[], table: Table, mappings: Mappings): Computed {
  const risks: Risk[] = []
  const values = new Map<Field, string>()
  for (const field of fields) {
    const value =
      'sql' in field.source
        ? snippetSql(field.source.sql)
        : `${quoteIdentifier(table.name)}.${quoteIdentifier(field.source.column)}`
    const { encoding, hazard } = planValue(field, mappingAt(mappings.properties, field.path) ?? {})
    values.set(field, valueSql(encoding, field.baseType, value))
    if (hazard !== null) risks.push({ field: field.path.join('.'), hazard, type: field.baseType, value })
  }
  return { document: objectOf([...values], 0, mappings, false), risks }
}

/** Fields → nested objects, each name at the place of its first field. */
function objectOf(
  values: readonly (readonly [Field, string])[],
  depth: number,
  mapping: FieldMapping,
  whole: boolean,
): DocumentNode {
  const fields = new Map<string, DocumentNode>()
  for (const [name, members] of Map.groupBy(values, ([field]) => field.path[depth] ?? '')) {
    const [first] = members
    const inner = propertiesOf(mapping)?.[name] ?? {}
    // The configuration made one field of several: 'place.lat' and 'place.lon' with place: { type: 'geo_point' }.
    const isOneField = inner.type !== undefined && inner.type !== 'object' && inner.type !== 'nested'
    if (first !== undefined && first[0].path.length === depth + 1)
      fields.set(name, { kind: 'value', sql: first[1] })
    else fields.set(name, objectOf(members, depth + 1, inner, isOneField))
  }
  return { kind: 'object', fields, whole }
}

function mappingAt(properties: Properties, path: readonly string[]): FieldMapping | undefined {
  const [head = '', ...tail] = path
  const field = properties[head]
  if (tail.length === 0 || field === undefined) return field
  return mappingAt(propertiesOf(field) ?? {}, tail)
}
