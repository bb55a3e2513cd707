import type { Column } from '../catalog/types.ts'
import { type Encoding, type FieldMapping, type FieldType, fieldTypeOf, type Hazard } from './field-types.ts'

type Typed = Pick<Column, 'type' | 'baseType'>

/** The field definition for a column's type: a row of docs/mappings.md. */
export function deriveMapping(column: Typed): FieldMapping {
  // Whole numbers of up to 18 digits fit a long, and stay exact in it.
  return isWholeNumber(column) ? { type: 'long' } : fieldTypeOf(column.baseType).mapping
}

function isWholeNumber({ type, baseType }: Typed): boolean {
  const [, precision, scale = '0'] = /^numeric\((\d+)(?:,(-?\d+))?\)/.exec(type) ?? []
  return baseType.name === 'numeric' && scale === '0' && precision !== undefined && Number(precision) <= 18
}

/** Field types that hold any text. */
const textual: ReadonlySet<unknown> = new Set([
  'annotated_text',
  'completion',
  'constant_keyword',
  'counted_keyword',
  'icu_collation_keyword',
  'keyword',
  'match_only_text',
  'search_as_you_type',
  'semantic_text',
  'text',
  'version',
  'wildcard',
])
const numeric: ReadonlySet<unknown> = new Set([
  'byte',
  'double',
  'float',
  'half_float',
  'integer',
  'long',
  'scaled_float',
  'short',
  'unsigned_long',
])
/** Take any JSON. */
const shapeless: ReadonlySet<unknown> = new Set(['flat_object', 'flattened', 'object'])

/** How a column's value is written for the field that it really becomes. */
export interface ValuePlan {
  readonly encoding: Encoding
  readonly hazard: Hazard | null
}

/**
 * The encoding for a column whose field is mapped as `mapping`. Where the configuration states another type than the
 * derived one, the JSON follows: an inet mapped as `ip` loses its network mask, a point mapped as `geo_point`
 * becomes longitude and latitude, bytea as keyword is hexadecimal, jsonb as text is its text.
 */
export function planValue(column: Typed, mapping: FieldMapping): ValuePlan {
  const derived = fieldTypeOf(column.baseType)
  const stated = mapping.type
  if (stated === undefined || stated === deriveMapping(column).type) return withHazard(derived, column)
  const name = column.baseType.name
  if (textual.has(stated))
    return { encoding: asText(derived), hazard: isUnbounded(column) ? 'too many digits' : null }
  if (shapeless.has(stated)) return { encoding: derived.encoding, hazard: null }
  if (name === 'point' && stated === 'geo_point') return { encoding: 'location', hazard: 'point' }
  if (name === 'inet' && stated === 'ip_range') return { encoding: 'text', hazard: null }
  if (['inet', 'cidr'].includes(name) && stated === 'ip') return { encoding: 'address', hazard: null }
  if (name === 'interval' && numeric.has(stated)) return { encoding: 'seconds', hazard: 'interval' }
  if (['vector', 'halfvec'].includes(name)) return { encoding: 'json text', hazard: null }
  return withHazard(derived, column)
}

function withHazard({ encoding, hazard }: FieldType, column: Typed): ValuePlan {
  return { encoding, hazard: isUnbounded(column) ? 'any numeric' : (hazard ?? null) }
}

/** A numeric of up to 147,455 digits; one of a stated precision has 1,000 at most. */
function isUnbounded({ type, baseType }: Typed): boolean {
  return baseType.name === 'numeric' && !type.includes('(')
}

function asText({ encoding, mapping }: FieldType): Encoding {
  if (encoding === 'base64') return 'hex'
  if (encoding === 'range' || encoding === 'point') return 'text'
  // JSON and composites: row_to_json would nest them.
  return mapping.type === 'object' ? 'text' : encoding
}
