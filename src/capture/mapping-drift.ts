import { canonicalJson } from '../documents/hash.ts'
import { isRecord, propertiesOf } from '../documents/merge.ts'
import { missingFields } from './mapping-changes.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** A way in which the mappings that an index has are not those it was made with. Fields by their path; '' is the root. */
export type MappingDrift =
  | {
      /** `wanted` is undefined where nothing was stated. */
      readonly kind: 'changed'
      readonly field: string
      readonly parameter: string
      readonly is: unknown
      readonly wanted: unknown
    }
  | {
      /** `nested`: the innermost nested field around it, or null. */
      readonly kind: 'foreign'
      readonly field: string
      readonly type: string
      readonly nested: string | null
    }
  | {
      /** `put`: the mappings that add them. */
      readonly kind: 'missing'
      readonly fields: readonly string[]
      readonly put: JsonObject
    }

/**
 * Field types to which the server adds no parameters of its own. Of others (`dense_vector`, `completion`) it shows
 * defaults that nobody stated: there, only what was stated is compared.
 */
const plain: ReadonlySet<unknown> = new Set(
  `object nested text keyword long integer short byte double float half_float boolean date binary ip
   integer_range long_range float_range double_range date_range ip_range`.split(/\s+/),
)

/**
 * What somebody changed in an index, or dynamic mapping made. The server leaves out what is its default, so a parameter
 * that is stated and not shown is no difference; and it writes some values its own way (`true` as `"true"`, one value as
 * a list). Where dynamic mapping is wanted, fields that it made are no drift. Pure.
 */
export function mappingDrift(index: JsonObject, wanted: JsonObject): readonly MappingDrift[] {
  const fields: string[] = []
  const drift = levelDrift(index, wanted, { path: '', nested: null, dynamic: false }, fields)
  const put = missingFields(index, wanted)
  return put === null ? drift : [{ kind: 'missing', fields, put }, ...drift]
}

interface Level {
  readonly path: string
  readonly nested: string | null
  /** New fields are wanted here. */
  readonly dynamic: boolean
}

function levelDrift(
  index: JsonObject,
  wanted: JsonObject,
  { path, nested, dynamic }: Level,
  missing: string[],
): MappingDrift[] {
  const level = {
    nested: wanted.type === 'nested' ? path : nested,
    dynamic: wanted.dynamic === undefined ? dynamic : adds(wanted.dynamic),
  }
  const inner = (name: string) => (path === '' ? name : `${path}.${name}`)
  const present = propertiesOf(index) ?? {}
  const stated = propertiesOf(wanted) ?? {}
  const drift: MappingDrift[] = parameterDrift(index, wanted, path)
  for (const [name, field] of Object.entries(stated)) {
    const is = present[name]
    if (is === undefined) missing.push(inner(name))
    else drift.push(...levelDrift(is, field, { path: inner(name), ...level }, missing))
  }
  if (level.dynamic) return drift
  for (const [name, field] of Object.entries(present)) {
    if (Object.hasOwn(stated, name)) continue
    const type = String(field.type ?? 'object')
    drift.push({ kind: 'foreign', field: inner(name), type, nested: level.nested })
  }
  return drift
}

function parameterDrift(index: JsonObject, wanted: JsonObject, field: string): MappingDrift[] {
  const { properties: _is, _meta: _isMeta, fields, ...shown }: JsonObject = { type: 'object', ...index }
  const { fields: wantedFields, ...stated }: JsonObject = { type: 'object', ...wanted }
  const all = plain.has(shown.type)
  const own = Object.entries(shown).flatMap(([parameter, is]): MappingDrift[] =>
    (Object.hasOwn(stated, parameter) ? same(is, stated[parameter]) : !all)
      ? []
      : [{ kind: 'changed', field, parameter, is, wanted: stated[parameter] }],
  )
  const multi = isRecord(fields) ? fields : {}
  const statedMulti = isRecord(wantedFields) ? wantedFields : {}
  return [
    ...own,
    ...Object.entries(multi).flatMap(([name, is]): MappingDrift[] => {
      const of = statedMulti[name]
      if (isRecord(is) && isRecord(of)) return parameterDrift(is, of, `${field}.${name}`)
      return [{ kind: 'changed', field, parameter: `fields.${name}`, is, wanted: of }]
    }),
  ]
}

const adds = (dynamic: unknown) => !['strict', 'false'].includes(String(dynamic))

function same(a: unknown, b: unknown): boolean {
  return canonicalJson(asText(a)) === canonicalJson(asText(b))
}

/** Numbers and booleans as text, a list of one as that one. */
function asText(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 1 ? asText(value[0]) : value.map(asText)
  if (!isRecord(value)) return String(value)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asText(inner)]))
}
