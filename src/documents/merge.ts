import type { FieldMapping } from './field-types.ts'

export type Properties = Readonly<Record<string, FieldMapping>>

/** Mappings as Elasticsearch takes them, at the root of an index. */
export interface Mappings {
  readonly properties: Properties
  readonly [setting: string]: unknown
}

/**
 * The configuration's mappings over the derived ones. A field that states its `type` is taken as stated, for what
 * was derived for text means nothing to a keyword; one that states other parameters only (`analyzer`, `index`) keeps
 * the rest. Objects are merged property by property; dotted names are unfolded as Elasticsearch does it.
 */
export function mergeMappings(derived: Mappings, stated: Readonly<Record<string, unknown>>): Mappings {
  return {
    ...derived,
    ...stated,
    properties: mergeProperties(derived.properties, propertiesOf(stated) ?? {}),
  }
}

/** `properties` of mappings or of an object field, dotted names unfolded; undefined where there are none. */
export function propertiesOf(holder: Readonly<Record<string, unknown>>): Properties | undefined {
  if (!isRecord(holder.properties)) return undefined
  let unfolded: Properties = {}
  for (const [name, field] of Object.entries(holder.properties)) {
    if (!isRecord(field)) continue
    const [head = name, ...tail] = name.split('.')
    const nested = tail.reduceRight<FieldMapping>((inner, part) => ({ properties: { [part]: inner } }), field)
    unfolded = mergeProperties(unfolded, { [head]: nested })
  }
  return unfolded
}

function mergeProperties(derived: Properties, stated: Properties): Properties {
  const merged: Record<string, FieldMapping> = { ...derived }
  for (const [name, field] of Object.entries(stated)) {
    const known = derived[name]
    merged[name] = known === undefined ? field : mergeField(known, field)
  }
  return merged
}

const objects: ReadonlySet<unknown> = new Set(['nested', 'object', undefined])

function mergeField(derived: FieldMapping, stated: FieldMapping): FieldMapping {
  const inner = propertiesOf(derived)
  if (inner !== undefined && objects.has(stated.type)) {
    return { ...derived, ...stated, properties: mergeProperties(inner, propertiesOf(stated) ?? {}) }
  }
  if (stated.type !== undefined || stated.properties !== undefined) return stated
  const fields =
    isRecord(derived.fields) && isRecord(stated.fields)
      ? { fields: { ...derived.fields, ...stated.fields } }
      : {}
  return { ...derived, ...stated, ...fields }
}

/** Index settings as one flat record, `index.` in front of each name: all spellings of a setting become one. */
export function flattenSettings(
  settings: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const flat: Record<string, unknown> = {}
  const walk = (holder: Readonly<Record<string, unknown>>, prefix: string) => {
    for (const [name, value] of Object.entries(holder)) {
      const path = prefix === '' ? name : `${prefix}.${name}`
      if (isRecord(value)) walk(value, path)
      else flat[path.startsWith('index.') ? path : `index.${path}`] = value
    }
  }
  walk(settings, '')
  return flat
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
