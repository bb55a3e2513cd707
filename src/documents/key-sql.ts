import { quoteIdentifier } from '../catalog/quote.ts'
import type { BaseType } from '../catalog/types.ts'
import type { KeyColumn } from './types.ts'

/**
 * The text of a key part, as an SQL expression over a value of `type` (a KeyColumn's). Triggers, views and walks must
 * all use it: a trigger runs under whatever DateStyle, TimeZone or bytea_output the application's session has, and a
 * mark whose text differs from the view's would be taken for a row that is gone. JSON's dates are ISO 8601 under
 * every DateStyle. Cast back to `type` (under TimeZone UTC), the text gives the same value.
 */
export function keyPart(type: string, value: string): string {
  switch (type) {
    case 'pg_catalog.date':
    case 'pg_catalog.timestamp':
      return `(pg_catalog.to_json(${value}) #>> '{}')`
    case 'pg_catalog.timestamptz':
      return instantText(value)
    case 'pg_catalog.bytea':
      return String.raw`(E'\\x' || pg_catalog.encode(${value}, 'hex'))`
    default:
      return `(${value})::text`
  }
}

/**
 * A timestamptz as text: `2024-05-01T12:00:00Z`, `infinity`, or `0044-03-15T00:00:00 BC`.
 * The subscript-free AT TIME ZONE makes it a plain timestamp first, which no session's TimeZone can move.
 */
export function instantText(value: string): string {
  const text = `pg_catalog.to_json(${value} AT TIME ZONE 'UTC') #>> '{}'`
  return `CASE WHEN pg_catalog.isfinite(${value}) AND ${value} >= '0001-01-01 00:00:00+00' THEN (${text}) || 'Z' ELSE ${text} END`
}

/** The key tuple of a row as text, in SQL; `encodeKey` is the same in TypeScript. `row` is an alias, or `(r)`. */
export function keyExpression(key: readonly KeyColumn[], row: string): string {
  const parts = key.map(({ name, type }) => keyPart(type, `${row}.${quoteIdentifier(name)}`))
  const [only] = parts
  return parts.length === 1 && only !== undefined
    ? only
    : `pg_catalog.jsonb_build_array(${parts.join(', ')})::text`
}

/** The type to cast a part's text back to: without modifiers, for `'Zürich'::varchar(3)` is silently cut to 'Zür'. */
export function keyCast({ schema, name }: BaseType): string {
  return schema === 'pg_catalog' && /^[a-z][a-z0-9_]*$/.test(name) && name !== 'char'
    ? `pg_catalog.${name}`
    : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

const settledTexts: ReadonlySet<string> = new Set(
  (
    'int2 int4 int8 oid numeric text varchar bpchar char name uuid bool date timestamp timestamptz time ' +
    'bytea inet cidr macaddr macaddr8 bit varbit pg_lsn xid8 citext ltree'
  ).split(' '),
)

const reasons: Readonly<Record<string, string>> = {
  float4: 'its text depends on extra_float_digits',
  float8: 'its text depends on extra_float_digits',
  interval: 'equal intervals have different texts (1 mon and 30 days), which depend on IntervalStyle',
  money: 'its text depends on lc_monetary',
  timetz: 'equal values have different texts',
}

/** Why a column of this type cannot be part of a key, or null. */
export function keyTypeProblem(type: BaseType): string | null {
  if (type.array) return 'it is an array'
  if (type.kind === 'enum' || (type.kind === 'base' && settledTexts.has(type.name))) return null
  return reasons[type.name] ?? 'the type has no text that sluice knows to be the same in every session'
}
