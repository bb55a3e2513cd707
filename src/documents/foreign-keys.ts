import { tableText } from '../catalog/table-name.ts'
import type { Table } from '../catalog/types.ts'
import { ConfigError } from '../errors.ts'
import type { LinkInput } from './links.ts'

/** Column here, column there. */
type Pairs = readonly (readonly [string, string])[]

/** The columns of the only foreign key between two tables, or a ConfigError that shows what could be stated. */
export function findLink({ at, name, here, there, owner, reverse }: LinkInput): Pairs {
  const ours = foreignKeys(here, there)
  const theirs = foreignKeys(there, here).map((pairs) => pairs.map(([from, to]) => [to, from] as const))
  const [first, second] = owner === 'here' ? [ours, theirs] : [theirs, ours]
  const others = second.filter(
    (pairs) => reverse === 'yes' || (reverse === 'when unique' && isUnique(there, columnsThere(pairs))),
  )
  const candidates = first.length > 0 ? first : others
  const [only] = candidates
  if (candidates.length === 1 && only !== undefined) return only

  const [from, to] =
    (owner === 'here') === (first.length > 0 || only === undefined) ? [here, there] : [there, here]
  const count = only === undefined ? 'no foreign key' : `${countText(candidates.length)} foreign keys`
  const [other] = second
  throw new ConfigError(`${tableText(from)} has ${count} to ${tableText(to)}, state "${name}"`, {
    where: at,
    remedy:
      only !== undefined
        ? `Write ${candidates.map((pairs) => pairsText(name, pairs)).join(' or ')}.`
        : other !== undefined
          ? `${tableText(to)} has one to ${tableText(from)}: write ${pairsText(name, other)} if that is meant.`
          : `Write ${name}: { 'column of ${tableText(here)}': 'column of ${tableText(there)}' }.`,
  })
}

/** Two constraints over the same columns are one. */
function foreignKeys(from: Table, to: Table): Pairs[] {
  const found = from.foreignKeys
    .filter(({ table }) => table.schema === to.schema && table.name === to.name)
    .map(({ columns, there }): Pairs => columns.map((column, n) => [column, there[n] ?? ''] as const))
  return [...new Map(found.map((pairs) => [JSON.stringify(pairs.toSorted()), pairs])).values()]
}

function columnsThere(pairs: Pairs): readonly string[] {
  return pairs.map(([, column]) => column)
}

/** Whether at most one row has given values in these columns. */
export function isUnique(table: Table, columns: readonly string[]): boolean {
  const indexes = table.indexes.filter(({ unique }) => unique).map((index) => index.columns)
  return [...table.uniqueKeys, ...indexes].some((key) => key.every((column) => columns.includes(column)))
}

/** `on: { country_code: 'code' }` */
function pairsText(name: string, pairs: Pairs): string {
  const property = (column: string) =>
    /^[A-Za-z_][A-Za-z0-9_]*$/.test(column) ? column : JSON.stringify(column)
  return `${name}: { ${pairs.map(([here, there]) => `${property(here)}: '${there}'`).join(', ')} }`
}

function countText(count: number): string {
  return ['no', 'one', 'two', 'three', 'four'][count] ?? String(count)
}
