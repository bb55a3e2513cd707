import { suggest } from '../catalog/suggest.ts'
import type { FieldMapping } from './field-types.ts'
import { deriveMapping } from './mapping.ts'
import { isRecord, type Mappings, mergeMappings, type Properties, propertiesOf } from './merge.ts'
import type { PlannedRelation, PlannedRow } from './rows.ts'

/** Strict: a field that nobody declared is a mistake, and a guessed mapping cannot be taken back. */
export function planMappings(root: PlannedRow, stated: Readonly<Record<string, unknown>>): Mappings {
  return mergeMappings({ dynamic: 'strict', properties: deriveProperties(root) }, stated)
}

function deriveProperties({ fields, relations }: PlannedRow): Properties {
  const properties: Record<string, FieldMapping> = {}
  for (const field of fields) properties[field.path.join('.')] = deriveMapping(field)
  const nested = { ...propertiesOf({ properties }) }
  for (const relation of relations) nested[relation.name] = deriveRelation(relation)
  return nested
}

/** Elasticsearch has no arrays: many rows are mapped as one. */
function deriveRelation({ row, flatten, nested }: PlannedRelation): FieldMapping {
  const [field] = row.fields
  if (flatten && field !== undefined) return deriveMapping(field)
  return { ...(nested ? { type: 'nested' } : {}), properties: deriveProperties(row) }
}

/** Warnings of names in `mappings` that no field has: they are allowed, they cost nothing, and they are probably slips. */
export function unknownMappings(
  at: string,
  root: PlannedRow,
  stated: Readonly<Record<string, unknown>>,
): readonly string[] {
  return unknownNames(`${at}.mappings.properties`, deriveProperties(root), stated)
}

function unknownNames(
  at: string,
  derived: Properties,
  stated: Readonly<Record<string, unknown>>,
): readonly string[] {
  if (!isRecord(stated.properties)) return []
  return Object.entries(propertiesOf(stated) ?? {}).flatMap(([name, field]) => {
    const known = derived[name]
    if (known === undefined)
      return `${at}.${name}: the document has no field ${JSON.stringify(name)}${suggest(name, Object.keys(derived))}`
    const inner = propertiesOf(known)
    return inner === undefined ? [] : unknownNames(`${at}.${name}.properties`, inner, field)
  })
}
