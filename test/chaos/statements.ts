import type { Random } from './random.ts'
import { relatedStatement } from './related-statements.ts'
import { event, item, label, type Row, type Statement, type Table } from './tables.ts'

/** Of events alone, and seldom: after it every row of a document is looked at again, which heals what other faults would show. */
const truncates = ['TRUNCATE shop.event', 'TRUNCATE shop.event_us', 'TRUNCATE shop.event_rest_0'] as const

/** Share of the statements that change the products and what they are made of. */
const RELATED = 0.6

type Single = (table: Table, random: Random, moment: number) => Statement

const single: readonly [Single, ...Single[]] = [
  (table, ...choice) => write(table, rowsOf(table, ...choice), ''),
  (table, ...choice) => write(table, rowsOf(table, ...choice), 'ON CONFLICT DO NOTHING'),
  upsert,
  upsert,
  change,
  change,
  change,
  merge,
  move,
  (table, ...choice) => remove(table, table.keyOf(...choice)),
  (table, random, moment) => ({
    text: `UPDATE ${table.name} t SET ${table.unused} FROM ${given(table)} WHERE ${same(table)}`,
    values: [json([table.keyOf(random, moment)])],
  }),
]

/** The next statement of a transaction. `moment`: milliseconds since the beginning. */
export function statement(random: Random, moment: number): Statement {
  if (random.chance(RELATED)) return relatedStatement(random, moment)
  const table = random.pick([item, label, event])
  if (random.chance(0.01)) return random.pick(table.many)(random)
  return random.pick(single)(table, random, moment)
}

/** A statement over many rows, or a TRUNCATE. */
export function rareStatement(random: Random, truncating: boolean): Statement {
  if (truncating) return { text: random.pick(truncates), values: [] }
  return random.pick(random.pick([item, label, event]).many)(random)
}

/**
 * The life of the nth quiet key: it comes into being, changes once or twice, and is never touched again. What goes wrong
 * with its last change stays to be seen.
 */
export function life(random: Random, n: number): readonly Statement[] {
  const table = random.pick([item, label, event])
  const [first, second] = table.quietKeys(n)
  const good = (key: Row) => upsertOf(table, [{ ...key, ...table.valuesOf(random) }])
  const bad = (key: Row) => upsertOf(table, [{ ...key, ...table.valuesOf(random), ...table.poison }])
  const gone = (key: Row) => remove(table, key)
  const change = random.pick([good, good, good, bad, bad, gone])
  const moved = random.chance(0.15) ? [moveOf(table, first, second)] : []
  const begin = random.chance(0.9) ? good(first) : bad(first)
  return random.chance(0.3) ? [begin, good(first), change(first), ...moved] : [begin, change(first), ...moved]
}

/** Rows come as JSON, so that Postgres gives each value its column's type. Pretty, for `json` keeps its line breaks. */
const json = (rows: readonly Row[]) => JSON.stringify(rows, null, 2)
const given = (table: Table) => `json_populate_recordset(NULL::${table.name}, $1) s`
const same = ({ key }: Table) => key.map((column) => `t.${column} = s.${column}`).join(' AND ')
const set = (columns: readonly string[], from: string) => columns.map((c) => `${c} = ${from}.${c}`).join(', ')

/** One to four rows, no key twice: ON CONFLICT and MERGE refuse that. */
function rowsOf(table: Table, random: Random, moment: number): Row[] {
  const rows = new Map<string, Row>()
  for (let n = random.chance(0.7) ? 1 : random.int(2, 4); n > 0; n--) {
    const key = table.keyOf(random, moment)
    rows.set(JSON.stringify(key), { ...key, ...table.valuesOf(random) })
  }
  return [...rows.values()]
}

function write(table: Table, rows: readonly Row[], onConflict: string): Statement {
  const columns = Object.keys(rows[0] ?? {}).join(', ')
  const text = `INSERT INTO ${table.name} (${columns}) SELECT ${columns} FROM ${given(table)} ${onConflict}`
  return { text, values: [json(rows)] }
}

function upsert(table: Table, random: Random, moment: number): Statement {
  return upsertOf(table, rowsOf(table, random, moment))
}

function upsertOf(table: Table, rows: readonly Row[]): Statement {
  const columns = Object.keys(rows[0] ?? {}).filter((column) => !table.key.includes(column))
  return write(table, rows, `ON CONFLICT (${table.key}) DO UPDATE SET ${set(columns, 'excluded')}`)
}

function remove(table: Table, key: Row): Statement {
  const text = `DELETE FROM ${table.name} t USING ${given(table)} WHERE ${same(table)}`
  return { text, values: [json([key])] }
}

/** Some columns of a row: those that decide whether it has a document, too. */
function change(table: Table, random: Random, moment: number): Statement {
  const columns = Object.keys(table.valuesOf(random)).filter(() => random.chance(0.5))
  const assignments = columns.length === 0 ? table.unused : set(columns, 's')
  const text = `UPDATE ${table.name} t SET ${assignments} FROM ${given(table)} WHERE ${same(table)}`
  return { text, values: [json(rowsOf(table, random, moment))] }
}

function merge(table: Table, random: Random, moment: number): Statement {
  const rows = rowsOf(table, random, moment)
  const all = Object.keys(rows[0] ?? {})
  const columns = Object.keys(table.valuesOf(random))
  const text = `MERGE INTO ${table.name} t USING ${given(table)} ON ${same(table)}
    WHEN MATCHED AND ${random.chance(0.3)} THEN DELETE
    WHEN MATCHED THEN UPDATE SET ${set(columns, 's')}
    WHEN NOT MATCHED THEN INSERT (${all}) VALUES (${all.map((column) => `s.${column}`)})`
  return { text, values: [json(rows)] }
}

/** A row gets another key; where that one is taken, the statement fails. */
function move(table: Table, ...choice: [Random, number]): Statement {
  return moveOf(table, table.keyOf(...choice), table.keyOf(...choice))
}

function moveOf(table: Table, from: Row, to: Row): Statement {
  const target = `json_populate_record(NULL::${table.name}, $2) n`
  const text = `UPDATE ${table.name} t SET ${set(table.key, 'n')} FROM ${given(table)}, ${target} WHERE ${same(table)}`
  return { text, values: [json([from]), JSON.stringify(to)] }
}
