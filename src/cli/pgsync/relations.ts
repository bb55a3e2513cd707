import { quotedTableText } from '../../catalog/table-name.ts'
import type { Relation } from '../../config/types.ts'
import { listedFields } from './fields.ts'
import type { Remarks } from './remarks.ts'
import type { Row } from './rows.ts'
import { type PgsyncChild, unknownKeys } from './schema.ts'

export interface ImportedRelation {
  /** The field that it becomes. */
  readonly name: string
  readonly relation: Relation
  /** Mapping of that field; null without one. */
  readonly mapping: Readonly<Record<string, unknown>> | null
}

/** A node below another one; `row` is what it comes to by itself. */
export function translateChild(
  at: string,
  child: PgsyncChild,
  label: string,
  row: Row,
  remarks: Remarks,
): ImportedRelation {
  const link = linkOf(at, child, remarks)
  const what = child.relationship.variant === 'scalar' ? scalar(at, child, row, remarks) : object(row)
  for (const key of unknownKeys('relationship', child.relationship)) {
    remarks.todo(`${at}.relationship.${key}`, 'was not translated', 'State the link by "on" or "through".')
  }
  return {
    name: fieldName(at, label, remarks),
    relation: { [link.kind]: quotedTableText(row.name), ...link.by, ...what.taken },
    mapping: what.mapping,
  }
}

interface Taken {
  readonly taken: Omit<Relation, 'one' | 'many'>
  readonly mapping: Readonly<Record<string, unknown>> | null
}

function object({ taken, mappings }: Row): Taken {
  return { taken, mapping: Object.keys(mappings).length === 0 ? null : mappings }
}

/** One value of each row: PGSync takes the first column. */
function scalar(at: string, child: PgsyncChild, row: Row, remarks: Remarks): Taken {
  const listed = listedFields(child)
  const names = listed?.map(({ name }) => name) ?? row.table?.columns.map(({ name }) => name) ?? []
  const [first] = names
  if ((child.children ?? []).length > 0) {
    remarks.todo(
      `${at}.children`,
      'stands below a scalar, which has no place for it',
      'Remove it, or take "object".',
    )
  }
  if (names.length > 1) {
    remarks.note(
      `${at}.columns`,
      `of a scalar PGSync takes the first column, ${first}; the others are left out`,
    )
  }
  if (first === undefined) {
    remarks.todo(`${at}.columns`, 'names no column, and a scalar needs one', 'Name it in "flatten".')
    return { taken: {}, mapping: null }
  }
  const source = listed?.[0]?.source ?? first
  const { properties } = row.mappings
  const mapped = Object.values((properties ?? {}) as Record<string, Readonly<Record<string, unknown>>>)
  return {
    taken: typeof source === 'string' ? { flatten: first } : { fields: { [first]: source }, flatten: first },
    mapping: mapped[0] ?? null,
  }
}

interface Link {
  readonly kind: 'one' | 'many'
  readonly by: Pick<Relation, 'on' | 'through'>
}

function linkOf(at: string, { schema, relationship }: PgsyncChild, remarks: Remarks): Link {
  const { type, through_tables: tables, foreign_key: key } = relationship
  const [between] = tables ?? []
  if (between === undefined) {
    const kind = type === 'one_to_one' ? 'one' : 'many'
    if (key === null || key === undefined) return { kind, by: {} }
    if (key.parent.length !== key.child.length) {
      remarks.todo(
        `${at}.relationship.foreign_key`,
        'has not as many columns in "parent" as in "child"',
        'State it: on: { column of the parent: column of the child }.',
      )
      return { kind, by: {} }
    }
    return { kind, by: { on: Object.fromEntries(key.parent.map((here, n) => [here, key.child[n] ?? ''])) } }
  }
  if (type === 'one_to_one') {
    remarks.todo(
      `${at}.relationship.type`,
      'one_to_one by a table in between became a list of such rows: searches are the same, readers get a list',
      'Read the first of it, or pick it in "transform".',
    )
  }
  if (key !== null && key !== undefined) {
    remarks.todo(
      `${at}.relationship.foreign_key`,
      'was not translated beside through_tables: the foreign keys of the table in between are taken',
      'Where those are not what is meant, state through.on and through.to.',
    )
  }
  const [first, second] = between.split('.')
  const table =
    second === undefined
      ? { schema: schema ?? 'public', name: between }
      : { schema: first ?? '', name: second }
  return { kind: 'many', by: { through: { table: quotedTableText(table) } } }
}

/** No dot and no colon, as relations have them. */
function fieldName(at: string, label: string, remarks: Remarks): string {
  const name = label.replaceAll(/[.:]/g, '_')
  if (name !== label)
    remarks.todo(`${at}.label`, `"${label}" became "${name}": no dot, no colon`, `Search "${name}".`)
  return name
}
