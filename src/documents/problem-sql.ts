import { quoteLiteral } from '../catalog/quote.ts'
import type { BaseType } from '../catalog/types.ts'
import { fieldTypeOf, type Hazard, rangeOf } from './field-types.ts'
import { anyOf } from './value-sql.ts'

/** A value that Elasticsearch may be unable to hold. */
export interface Risk {
  readonly field: string
  readonly hazard: Hazard
  readonly type: BaseType
  readonly value: string
}

/**
 * SQL for the `problem` column: the first field whose value Elasticsearch cannot hold, and why, without the value;
 * null where all is well. Said here, it names the field and the cause; Elasticsearch would only say that it failed
 * to parse, and a year beyond 9999 it would even take for something else in a lenient format.
 */
export function problemSql(risks: readonly Risk[]): string {
  const cases = risks.flatMap(({ field, hazard, type, value }) =>
    reasonsOf(hazard, type).map(([reason, condition]) => {
      const text = quoteLiteral(`field "${field}" is ${reason}`)
      return `WHEN ${anyOf(type, value, condition)} THEN ${text}`
    }),
  )
  return cases.length === 0 ? 'NULL::text' : `CASE ${cases.join(' ')} END`
}

type Condition = (value: string) => string

/** What a column of this type may hold that its field cannot: the reason, and SQL that is true of such a value. */
export function refusalsOf(type: BaseType): readonly (readonly [reason: string, condition: Condition])[] {
  const { hazard } = fieldTypeOf(type)
  if (hazard === undefined) return []
  return reasonsOf(hazard, type).map(([reason, condition]) => [
    reason,
    (value) => anyOf(type, value, condition),
  ])
}

/** One comparison for the good case: bounds enclose what is finite, AD and of four digits. */
const outside =
  (type: string, from: string, to: string): Condition =>
  (value) =>
    `${value} NOT BETWEEN '${from}'::pg_catalog.${type} AND '${to}'::pg_catalog.${type}`

const isDateOutside = outside('date', '0001-01-01', '9999-12-31')
const isTimestampOutside = outside('timestamp', '0001-01-01 00:00:00', '9999-12-31 23:59:59.999999')
const isInstantOutside = outside('timestamptz', '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00')

const notFinite: Condition = (value) => `${value} IN ('NaN', 'Infinity', '-Infinity')`

const dateReason = 'infinity, before the year 1, or after the year 9999: Elasticsearch has no such date'
const numberReason = 'NaN or infinite: Elasticsearch has no such number'

const digitsReason = 'a number of more than 1000 digits: Elasticsearch reads no longer ones'

/**
 * The JSON parser of Elasticsearch and OpenSearch stops there, and names no field. The digits are counted where there
 * may be so many only.
 */
const tooManyDigits: Condition = (value) =>
  `(pg_catalog.scale(${value}) > 500 OR pg_catalog.abs(${value}) >= 1e500)
    AND pg_catalog.length(pg_catalog.translate((${value})::text, '-.', '')) > 1000`

function reasonsOf(hazard: Hazard, type: BaseType): readonly (readonly [string, Condition])[] {
  switch (hazard) {
    case 'date':
      return [[dateReason, isDateOutside]]
    case 'timestamp':
      return [[dateReason, isTimestampOutside]]
    case 'timestamptz':
      return [[dateReason, isInstantOutside]]
    case 'not a number':
      return [[numberReason, notFinite]]
    case 'too many digits':
      return [[digitsReason, tooManyDigits]]
    case 'any numeric':
      return [
        [numberReason, notFinite],
        [digitsReason, tooManyDigits],
      ]
    case 'point':
      return [[numberReason, (value) => `${notFinite(`(${value})[0]`)} OR ${notFinite(`(${value})[1]`)}`]]
    case 'range of dates':
      return [[dateReason, isRangeOutside(rangeOf(type) ?? type.name)]]
    case 'range of numbers':
      return [[numberReason, isRangeOfNaN]]
    case 'interval':
      return [[numberReason, (value) => `NOT pg_catalog.isfinite(${value})`]]
  }
}

/** Infinite ends are left open here, too. */
const isRangeOfNaN: Condition = (value) => `'NaN' IN (pg_catalog.lower(${value}), pg_catalog.upper(${value}))`

const endOutside: Readonly<Record<string, Condition>> = {
  daterange: isDateOutside,
  tsrange: isTimestampOutside,
  tstzrange: isInstantOutside,
}

/** Infinite ends are left open, and no problem. */
function isRangeOutside(name: string): Condition {
  const outsideEnd = endOutside[name] ?? (() => 'false')
  return (value) =>
    ['lower', 'upper']
      .map((side) => `pg_catalog.${side}(${value})`)
      .map((end) => `pg_catalog.isfinite(${end}) AND ${outsideEnd(end)}`)
      .join(' OR ')
}
