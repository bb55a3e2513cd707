import type { Catalog, Table, TableName } from '../../catalog/types.ts'
import type { FieldSource, RowFields } from '../../config/types.ts'
import { allFields, type Field, listedFields } from './fields.ts'
import { mergeMappings, properties } from './mappings.ts'
import { type ImportedRelation, translateChild } from './relations.ts'
import type { Remarks } from './remarks.ts'
import { type PgsyncChild, type PgsyncRow, unknownKeys } from './schema.ts'
import { remarkTransform, renames } from './transforms.ts'

/** What a node, with all below it, comes to. */
export interface Row {
  readonly name: TableName
  /** Undefined where the database does not have it; planning says so. */
  readonly table: Table | undefined
  readonly taken: Pick<RowFields, 'fields' | 'omit' | 'relations'>
  /** `{ properties: … }`, or nothing. */
  readonly mappings: Readonly<Record<string, unknown>>
}

type Node = PgsyncRow & { readonly children?: readonly PgsyncChild[] | null | undefined }

export function translateRow(at: string, node: Node, catalog: Catalog, remarks: Remarks): Row {
  const name = tableOf(node)
  const table = catalog.table(name)
  const renamed = renames(node)
  const listed = listedFields(node)
  const relations = translateChildren(at, node, renamed, catalog, remarks)
  const fields = fieldsOf(listed, table, renamed, relations)

  const known = new Set([
    ...(listed ?? (table === undefined ? [] : allFields(table))).map((field) => field.name),
    ...(node.children ?? []).map(labelOf),
    // Without the table nobody knows, and planning says that it is not there.
    ...(table === undefined && listed === null ? renamed.keys() : []),
  ])
  remarkTransform(at, node, fields.byName, known, remarks)
  remarkRest(at, node, remarks)
  for (const hidden of fields.hidden) {
    remarks.note(`${at}.columns`, `"${hidden}" is a child's label too, and the child's is what PGSync shows`)
  }
  const related = Object.fromEntries(relations.map(({ name: field, relation }) => [field, relation]))
  return {
    name,
    table,
    taken: { ...fields.stated, ...(relations.length === 0 ? {} : { relations: related }) },
    mappings: properties(
      mergeMappings(
        Object.fromEntries(
          relations.filter((one) => one.mapping !== null).map((one) => [one.name, one.mapping]),
        ),
        node.transform?.mapping ?? {},
      ),
    ),
  }
}

function tableOf({ table, schema }: PgsyncRow): TableName {
  return { schema: schema ?? 'public', name: table }
}

function labelOf({ label, table }: PgsyncRow): string {
  return label ?? table
}

function translateChildren(
  at: string,
  { children }: Node,
  renamed: ReadonlyMap<string, string>,
  catalog: Catalog,
  remarks: Remarks,
): readonly ImportedRelation[] {
  const relations: ImportedRelation[] = []
  for (const [n, child] of (children ?? []).entries()) {
    const path = `${at}.children[${n}]`
    const label = labelOf(child)
    const row = translateRow(path, child, catalog, remarks)
    const translated = translateChild(path, child, renamed.get(label) ?? label, row, remarks)
    if (relations.some(({ name }) => name === translated.name)) {
      remarks.todo(
        path,
        `is called ${translated.name}, as a child before it: it is left out`,
        'Add it to "relations" under another name.',
      )
    } else relations.push(translated)
  }
  return relations
}

interface Fields {
  /** What goes into the definition. */
  readonly stated: Pick<RowFields, 'fields' | 'omit'>
  readonly byName: ReadonlyMap<string, FieldSource>
  /** Columns that a child of the same name hides. */
  readonly hidden: readonly string[]
}

function fieldsOf(
  listed: readonly Field[] | null,
  table: Table | undefined,
  renamed: ReadonlyMap<string, string>,
  relations: readonly ImportedRelation[],
): Fields {
  const all = listed ?? (table === undefined ? [] : allFields(table))
  const final = all.map(({ name, source }) => ({ name: renamed.get(name) ?? name, source }))
  const hides = (field: Field) => relations.some(({ name }) => name === field.name)
  const hidden = final.filter(hides).map(({ name }) => name)
  const shown = final.filter((field) => !hides(field))
  const byName = new Map(shown.map(({ name, source }) => [name, source]))
  const plain = shown.every(({ name, source }) => name === source)
  if (listed === null && all.every(({ name }) => !renamed.has(name))) {
    // All columns, those of later on too.
    return { stated: hidden.length === 0 ? {} : { omit: hidden }, byName, hidden }
  }
  const fields = plain ? shown.map(({ name }) => name) : Object.fromEntries(byName)
  return { stated: { fields }, byName, hidden }
}

function remarkRest(at: string, node: Node, remarks: Remarks): void {
  const kind = 'relationship' in node ? 'child' : 'root'
  for (const key of unknownKeys(kind, node)) {
    remarks.todo(`${at}.${key}`, 'was not translated', 'See docs/documents.md for what stands for it.')
  }
  if ((node.base_tables ?? []).length > 0) {
    remarks.todo(
      `${at}.base_tables`,
      `was not translated: a view is read by "sql", and "dependsOn" names ${node.base_tables?.join(', ')}`,
      'See docs/documents.md#sql-and-dependson.',
    )
  }
}
