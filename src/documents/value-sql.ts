import { quoteIdentifier } from '../catalog/quote.ts'
import type { BaseType } from '../catalog/types.ts'
import { type Encoding, rangeOf } from './field-types.ts'
import { instantText } from './key-sql.ts'

/** Alias of the elements of an array. Snippets cannot see it: they stand outside of the FROM that it names. */
const element = `${quoteIdentifier('sluice element')}.value`
const elementOf = (array: string) =>
  `pg_catalog.unnest(${array}) WITH ORDINALITY AS ${quoteIdentifier('sluice element')} (value, position)`

/**
 * SQL for the value of a field, to be printed by row_to_json. Independent of what the session says (TimeZone,
 * DateStyle, IntervalStyle, bytea_output); composites alone print as the session has it, and the loader sets that.
 */
export function valueSql(encoding: Encoding, type: BaseType, value: string): string {
  if (encoding === 'plain') return value
  const range = rangeOf(type)
  if (range !== undefined && encoding === 'range') return eachOf(value, rangeSql(range, element))
  // unnest() of composites would spread them over columns: the whole array's text then.
  if (type.array && type.kind === 'composite') return encodeOne(encoding, type.name, value)
  const one = (text: string) => encodeOne(encoding, type.name, text)
  return type.array ? eachOf(value, one(element)) : one(value)
}

/** SQL that is true where `condition` holds for one of the values. */
export function anyOf(type: BaseType, value: string, condition: (value: string) => string): string {
  return type.array || rangeOf(type) !== undefined
    ? `EXISTS (SELECT FROM ${elementOf(value)} WHERE ${condition(element)})`
    : condition(value)
}

/** An array stays one, in its order; one of several dimensions becomes flat, as Elasticsearch would make it. */
function eachOf(array: string, encoded: string): string {
  const position = `${quoteIdentifier('sluice element')}.position`
  return `CASE WHEN ${array} IS NOT NULL THEN ARRAY(SELECT ${encoded} FROM ${elementOf(array)} ORDER BY ${position}) END`
}

function encodeOne(encoding: Encoding, typeName: string, value: string): string {
  switch (encoding) {
    case 'plain':
      return value
    case 'text':
      return `(${value})::text`
    case 'numeric':
      return `(${value})::pg_catalog.numeric`
    case 'integer':
      return `(${value})::pg_catalog.int8`
    case 'instant':
      return instantText(value)
    case 'local':
      return localText(value)
    case 'duration':
      return durationText(value)
    case 'seconds':
      return `extract(epoch FROM ${value})`
    case 'base64':
      // Postgres breaks base64 into lines of 76 characters; Elasticsearch takes none.
      return `pg_catalog.translate(pg_catalog.encode(${value}, 'base64'), E'\\n', '')`
    case 'hex':
      return `pg_catalog.encode(${value}, 'hex')`
    case 'range':
      return rangeSql(typeName, value)
    case 'point':
      return pointSql(value, 'x', 'y')
    case 'location':
      return pointSql(value, 'lon', 'lat')
    case 'address':
      return `pg_catalog.host(${value})`
    case 'json text':
      return `((${value})::text)::pg_catalog.json`
  }
}

/** As `instantText`, for a timestamp without time zone. */
function localText(value: string): string {
  const text = `pg_catalog.to_json(${value}) #>> '{}'`
  return `CASE WHEN pg_catalog.isfinite(${value}) AND ${value} >= '0001-01-01 00:00:00' THEN (${text}) || 'Z' ELSE ${text} END`
}

/** Each unit with its own sign, as Postgres's iso_8601 style has it; to_char() would print an infinite one as NULL. */
function durationText(value: string): string {
  const unit = (field: string) => `extract(${field} FROM ${value})`
  const text = [
    `'P' || ${unit('year')} || 'Y' || ${unit('month')} || 'M' || ${unit('day')} || 'D'`,
    `'T' || ${unit('hour')} || 'H' || ${unit('minute')} || 'M' || pg_catalog.trim_scale(${unit('second')}) || 'S'`,
  ].join(' || ')
  return `CASE WHEN pg_catalog.isfinite(${value}) THEN ${text} ELSE (${value})::text END`
}

function pointSql(value: string, x: string, y: string): string {
  return `CASE WHEN ${value} IS NOT NULL THEN pg_catalog.json_build_object('${x}', (${value})[0], '${y}', (${value})[1]) END`
}

/** An open end is left out, and so is an infinite one; an empty range is null, for it holds nothing that could be found. */
function rangeSql(typeName: string, value: string): string {
  const bound = boundSql[typeName] ?? ((limit: string) => limit)
  const end = (name: string, side: 'lower' | 'upper', inclusive: boolean) =>
    `'${name}', CASE WHEN ${inclusive ? '' : 'NOT '}pg_catalog.${side}_inc(${value}) THEN ${bound(`pg_catalog.${side}(${value})`)} END`
  const ends = [
    end('gte', 'lower', true),
    end('gt', 'lower', false),
    end('lte', 'upper', true),
    end('lt', 'upper', false),
  ]
  const object = `pg_catalog.json_strip_nulls(pg_catalog.json_build_object(${ends.join(', ')}))`
  return `CASE WHEN NOT pg_catalog.isempty(${value}) THEN ${object} END`
}

const finite = (limit: string, text: string) => `CASE WHEN pg_catalog.isfinite(${limit}) THEN ${text} END`

const boundSql: Readonly<Record<string, (limit: string) => string>> = {
  numrange: (limit) => `CASE WHEN ${limit} NOT IN ('Infinity', '-Infinity') THEN ${limit} END`,
  daterange: (limit) => finite(limit, limit),
  tsrange: (limit) => finite(limit, localText(limit)),
  tstzrange: (limit) => finite(limit, instantText(limit)),
}
