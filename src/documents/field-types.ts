import type { BaseType } from '../catalog/types.ts'

/** An Elasticsearch field definition. */
export type FieldMapping = Readonly<Record<string, unknown>>

/** How a value leaves Postgres; see `valueSql`. */
export type Encoding =
  /** As row_to_json prints it: JSON numbers, booleans, text, dates, nested rows. */
  | 'plain'
  /** As its text: `char(n)` without the padding, money and oid as numbers. */
  | 'text'
  | 'numeric'
  | 'integer'
  /** UTC, ISO 8601: `2024-05-01T12:00:00.123456Z`. */
  | 'instant'
  /** A timestamp without time zone, taken for UTC. */
  | 'local'
  /** ISO 8601: `P0Y1M2DT3H4M5.5S`. */
  | 'duration'
  | 'seconds'
  | 'base64'
  | 'hex'
  /** `{"gte": …, "lt": …}`. */
  | 'range'
  /** `{"x": …, "y": …}`, or `{"lon": …, "lat": …}`. */
  | 'point'
  | 'location'
  /** An address without its network mask. */
  | 'address'
  /** Text that is JSON: pgvector's `[1,2,3]`. */
  | 'json text'

/** What a value may be that Elasticsearch cannot hold; see `problemSql`. */
export type Hazard =
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'not a number'
  /** More digits than a JSON number may have. */
  | 'too many digits'
  /** Either of the two. */
  | 'any numeric'
  | 'point'
  | 'range of dates'
  | 'range of numbers'
  | 'interval'

export interface FieldType {
  readonly mapping: FieldMapping
  readonly encoding: Encoding
  readonly hazard?: Hazard
}

const keyword: FieldMapping = { type: 'keyword' }
/** 8191 characters are at most 32,764 bytes, and 32,766 are the longest term: nothing is refused for its length. */
const longKeyword: FieldMapping = { type: 'keyword', ignore_above: 8191 }
const text: FieldMapping = {
  type: 'text',
  fields: { keyword: { type: 'keyword', ignore_above: 1024 } },
}
/** Kept in `_source`, not searchable, of any shape. */
const stored: FieldMapping = { type: 'object', enabled: false }
/** Kept in `_source`, not searchable, text of any length. */
const storedText: FieldMapping = { type: 'keyword', index: false, doc_values: false }

const plain = (mapping: FieldMapping): FieldType => ({ mapping, encoding: 'plain' })
const range = (type: string, hazard?: Hazard): FieldType => ({
  mapping: { type },
  encoding: 'range',
  ...(hazard === undefined ? {} : { hazard }),
})

/**
 * Postgres type → field. Only field types that Elasticsearch 8.19 and 9 and OpenSearch 3 all have, and only such as
 * take every value that the column can hold (dates and NaN excepted: they have no counterpart, and are dead letters
 * that say so). What is more specific, and might refuse a value (`ip`, `geo_point`), is for the configuration to say.
 * docs/mappings.md shows this table; a test compares the two.
 */
const byName: Readonly<Record<string, FieldType>> = {
  bool: plain({ type: 'boolean' }),
  int2: plain({ type: 'short' }),
  int4: plain({ type: 'integer' }),
  int8: plain({ type: 'long' }),
  oid: { mapping: { type: 'long' }, encoding: 'integer' },
  float4: { mapping: { type: 'float' }, encoding: 'plain', hazard: 'not a number' },
  float8: { mapping: { type: 'double' }, encoding: 'plain', hazard: 'not a number' },
  numeric: { mapping: { type: 'double' }, encoding: 'plain', hazard: 'not a number' },
  money: { mapping: { type: 'double' }, encoding: 'numeric' },
  text: plain(text),
  varchar: plain(text),
  citext: plain(text),
  xml: plain({ type: 'text' }),
  bpchar: { mapping: longKeyword, encoding: 'text' },
  char: plain(keyword),
  name: plain(keyword),
  uuid: plain(keyword),
  ltree: plain(longKeyword),
  inet: plain(keyword),
  cidr: plain(keyword),
  macaddr: plain(keyword),
  macaddr8: plain(keyword),
  bit: plain(longKeyword),
  varbit: plain(longKeyword),
  pg_lsn: plain(keyword),
  date: { mapping: { type: 'date' }, encoding: 'plain', hazard: 'date' },
  timestamp: { mapping: { type: 'date' }, encoding: 'local', hazard: 'timestamp' },
  timestamptz: { mapping: { type: 'date' }, encoding: 'instant', hazard: 'timestamptz' },
  time: plain(keyword),
  timetz: plain(keyword),
  interval: { mapping: keyword, encoding: 'duration' },
  bytea: { mapping: { type: 'binary' }, encoding: 'base64' },
  json: plain(stored),
  jsonb: plain(stored),
  hstore: plain(stored),
  geometry: plain(stored),
  geography: plain(stored),
  point: {
    mapping: { properties: { x: { type: 'double' }, y: { type: 'double' } } },
    encoding: 'point',
    hazard: 'point',
  },
  int4range: range('integer_range'),
  int8range: range('long_range'),
  numrange: range('double_range', 'range of numbers'),
  daterange: range('date_range', 'range of dates'),
  tsrange: range('date_range', 'range of dates'),
  tstzrange: range('date_range', 'range of dates'),
}

const rangeOfMultirange: Readonly<Record<string, string>> = {
  int4multirange: 'int4range',
  int8multirange: 'int8range',
  nummultirange: 'numrange',
  datemultirange: 'daterange',
  tsmultirange: 'tsrange',
  tstzmultirange: 'tstzrange',
}

/** Names of the types that have a row of their own; all others are kept as text that cannot be searched. */
export const knownTypes: readonly string[] = [...Object.keys(byName), ...Object.keys(rangeOfMultirange)]

/** The range type that a multirange is made of; undefined for other types. */
export function rangeOf(type: BaseType): string | undefined {
  return type.schema === 'pg_catalog' ? rangeOfMultirange[type.name] : undefined
}

/** What a column of this type becomes by itself. An array is mapped as its element: Elasticsearch has no arrays. */
export function fieldTypeOf(type: BaseType): FieldType {
  if (type.kind === 'enum') return plain(keyword)
  if (type.kind === 'composite') return plain(stored)
  const name = rangeOf(type) ?? type.name
  const known = type.kind === 'base' || type.schema === 'pg_catalog' ? byName[name] : undefined
  return known ?? plain(storedText)
}
