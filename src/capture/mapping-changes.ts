import { isRecord, propertiesOf } from '../documents/merge.ts'
import { sameJson } from './same-json.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** How new mappings relate to those an index has. `problem` names the first field that an index cannot change in place. */
export type MappingChange =
  | { readonly kind: 'same' }
  | { readonly kind: 'added'; readonly fields: readonly string[] }
  | { readonly kind: 'incompatible'; readonly problem: string }

/**
 * What would become of an index with mappings `before` to have `after`. Elasticsearch adds fields to a living index
 * and changes none; a field that is gone from `after` stays, unused.
 */
export function compareMappings(before: JsonObject, after: JsonObject): MappingChange {
  const added: string[] = []
  const problem = compareLevel(before, after, '', added)
  if (problem !== null) return { kind: 'incompatible', problem }
  return added.length > 0 ? { kind: 'added', fields: added } : { kind: 'same' }
}

function compareLevel(before: JsonObject, after: JsonObject, path: string, added: string[]): string | null {
  const { properties: _before, _meta: _oldMeta, ...parameters } = before
  const { properties: _after, _meta: _newMeta, ...wanted } = after
  if (!sameJson(parameters, wanted)) {
    const shown = (value: JsonObject) => JSON.stringify(value)
    return `${path === '' ? 'the mappings' : `field ${path}`} would change from ${shown(parameters)} to ${shown(wanted)}`
  }
  const known = propertiesOf(before) ?? {}
  for (const [name, field] of Object.entries(propertiesOf(after) ?? {})) {
    const inner = path === '' ? name : `${path}.${name}`
    const present = known[name]
    if (present === undefined) added.push(inner)
    else if (isRecord(present)) {
      const problem = compareLevel(present, field, inner, added)
      if (problem !== null) return problem
    }
  }
  return null
}

/** A field the index has under another type, from an earlier definition; null where there is none. */
export function typeConflict(index: JsonObject, wanted: JsonObject, path = ''): string | null {
  const present = propertiesOf(index) ?? {}
  for (const [name, field] of Object.entries(propertiesOf(wanted) ?? {})) {
    const inner = path === '' ? name : `${path}.${name}`
    const known = present[name]
    if (known === undefined) continue
    // The server leaves the type of an object out.
    const types = [known.type ?? 'object', field.type ?? 'object']
    if (types[0] !== types[1]) return `field ${inner} is ${types[0]} in the index, and would be ${types[1]}`
    const conflict = typeConflict(known, field, inner)
    if (conflict !== null) return conflict
  }
  return null
}

/**
 * Whether an index has each field of `wanted` just as it is stated, and states the same of itself. The server leaves out
 * what is its default, so that a no means nothing but that one cannot tell.
 */
export function sameFields(index: JsonObject, wanted: JsonObject): boolean {
  const { properties: _properties, _meta, ...parameters } = wanted
  const present = propertiesOf(index) ?? {}
  return (
    Object.entries(parameters).every(
      ([name, value]) => sameJson(index[name], value) || (name === 'type' && value === 'object'),
    ) &&
    Object.entries(propertiesOf(wanted) ?? {}).every(([name, field]) => {
      const known = present[name]
      return known !== undefined && sameFields(known, field)
    })
  )
}

/** The fields of `wanted` that an index does not have, at any depth, as mappings to be added; null: it has all of them. */
export function missingFields(index: JsonObject, wanted: JsonObject): JsonObject | null {
  const present = propertiesOf(index) ?? {}
  const missing: Record<string, JsonObject> = {}
  for (const [name, field] of Object.entries(propertiesOf(wanted) ?? {})) {
    const known = present[name]
    if (known === undefined) missing[name] = field
    else if (propertiesOf(known) && propertiesOf(field)) {
      const inner = missingFields(known, field)
      if (inner === null) continue
      // Stated again, or a nested object would be taken for another kind.
      missing[name] = { ...(known.type === undefined ? {} : { type: known.type }), ...inner }
    }
  }
  return Object.keys(missing).length === 0 ? null : { properties: missing }
}
