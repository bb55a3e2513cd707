import { quoteIdentifier } from '../catalog/quote.ts'
import { tableText } from '../catalog/table-name.ts'
import type { BaseType, Table } from '../catalog/types.ts'
import { ConfigError } from '../errors.ts'
import { columnOf } from './fields.ts'
import { findLink } from './foreign-keys.ts'
import { keyCast, keyTypeProblem } from './key-sql.ts'

/** A pair of columns that are equal where two rows belong together. */
export interface LinkPair {
  /** Column one level up. */
  readonly here: string
  /** Column of the table that is taken in. */
  readonly there: string
  readonly hereType: BaseType
  readonly thereType: BaseType
  /** Collation to compare them by, quoted, where the columns have two: that of the column there, as a foreign key does. */
  readonly collation: string | null
}

export interface LinkInput {
  /** Config path of what holds `on` or `to`. */
  readonly at: string
  readonly name: 'on' | 'to'
  readonly here: Table
  readonly there: Table
  readonly stated: Readonly<Record<string, string>> | undefined
  /** Which table's foreign key is looked for first: the one here for one related row, theirs for many. */
  readonly owner: 'here' | 'there'
  /** Whether the other table's is taken where there is none. */
  readonly reverse: 'no' | 'when unique' | 'yes'
}

/** The columns that link two tables: as stated, or of the only foreign key between them. */
export function planLink(input: LinkInput): readonly LinkPair[] {
  const { at, name, here, there, stated } = input
  const where = stated === undefined ? at : `${at}.${name}`
  const pairs = stated === undefined ? findLink(input) : Object.entries(stated)
  return pairs.map(([ours, theirs]) => planPair(here, ours, there, theirs, where))
}

function planPair(here: Table, ours: string, there: Table, theirs: string, where: string): LinkPair {
  const up = columnOf(here, ours, where)
  const down = columnOf(there, theirs, where)
  const refuse = (what: string, remedy: string) => new ConfigError(what, { where, remedy })
  const names = [`${tableText(here)}.${ours}`, `${tableText(there)}.${theirs}`] as const
  // Marks carry the values as text.
  const problem = keyTypeProblem(down.baseType) ?? keyTypeProblem(up.baseType)
  if (problem !== null) {
    throw refuse(
      `${names[1]} is ${down.type}, which cannot link rows: ${problem}`,
      'Link them by columns of other types.',
    )
  }
  if (down.generated === 'virtual') {
    throw refuse(
      `${names[1]} is a virtual generated column, which triggers cannot see`,
      'Make it a stored one, or link the rows by another column.',
    )
  }
  if (!comparable(up.baseType, down.baseType)) {
    throw refuse(
      `${names[0]} is ${up.type} and ${names[1]} is ${down.type}: they cannot be compared`,
      'Link columns of one type; whole numbers of different sizes, and text and varchar, go together.',
    )
  }
  const [a, b] = [up.collation, down.collation]
  const collation = a === undefined || b === undefined || a === b ? null : b
  return { here: ours, there: theirs, hereType: up.baseType, thereType: down.baseType, collation }
}

const whole: ReadonlySet<string> = new Set(['int2', 'int4', 'int8'])
const textual: ReadonlySet<string> = new Set(['text', 'varchar'])

function comparable(a: BaseType, b: BaseType): boolean {
  if (a.schema === b.schema && a.name === b.name) return true
  if (a.schema !== 'pg_catalog' || b.schema !== 'pg_catalog') return false
  return [whole, textual].some((family) => family.has(a.name) && family.has(b.name))
}

/**
 * SQL type for a value from there, to find the rows here by it. A whole number from there may be too large for the
 * column here: as int8 it is no error, and the column's index is used all the same.
 */
export function linkCast({ hereType, thereType }: LinkPair): string {
  return whole.has(hereType.name) && hereType.name !== thereType.name ? 'pg_catalog.int8' : keyCast(hereType)
}

/** SQL condition. The operator of an extension's type (citext) stands where the type does, whatever search_path says. */
export function equalSql({ hereType, collation }: LinkPair, there: string, here: string): string {
  const foreign = hereType.kind === 'base' && hereType.schema !== 'pg_catalog'
  const equals = foreign ? `OPERATOR(${quoteIdentifier(hereType.schema)}.=)` : '='
  return `${there} ${equals} ${here}${collation === null ? '' : ` COLLATE ${collation}`}`
}
