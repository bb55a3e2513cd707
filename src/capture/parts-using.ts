import type { DocumentDefinition, Relation, RowFields } from '../config/types.ts'
import { configPath } from '../documents/snippets.ts'
import type { DocumentPlan, SourcePlan } from '../documents/types.ts'

const THROUGH = ':through'

/** What is watched as one part of a document, by what the configuration calls it. */
export interface DefinitionPart {
  /** `relations.reviews.relations.author`; '' is the document itself. */
  readonly path: string
  /** Null for a table in between, and for one that an SQL document depends on: nothing is taken of their rows. */
  readonly row: RowFields | null
}

/** Where in its document's definition a source comes from. The name of a relation may have dots in it, as that of a field. */
export function definitionPart(definition: DocumentDefinition, source: string): DefinitionPart {
  if (source === '') return { path: '', row: definition }
  if (definition.sql !== undefined) return { path: configPath('dependsOn', source), row: null }
  const between = source.endsWith(THROUGH)
  const found = relationAt(definition, fieldOf(source))
  if (found === null) return { path: source, row: null }
  return between ? { path: `${found.path}.through`, row: null } : { path: found.path, row: found.relation }
}

/** The columns that a part leaves out of all that its table has; null where it takes those it names, or none. */
export function leftOut(definition: DocumentDefinition, source: string): readonly string[] | null {
  const { row } = definitionPart(definition, source)
  if (row === null || row.fields !== undefined || definition.sql !== undefined || 'flatten' in row)
    return null
  return row.omit ?? []
}

function relationAt(
  row: RowFields,
  source: string,
): { readonly path: string; readonly relation: Relation } | null {
  for (const [name, relation] of Object.entries(row.relations ?? {})) {
    const path = configPath('relations', name)
    if (source === name) return { path, relation }
    const below = source.startsWith(`${name}.`) ? relationAt(relation, source.slice(name.length + 1)) : null
    if (below !== null) return { ...below, path: `${path}.${below.path}` }
  }
  return null
}

/** The field that a related table is for. */
export function fieldOf(source: string): string {
  return source.endsWith(THROUGH) ? source.slice(0, -THROUGH.length) : source
}

type Defined = { readonly definition: DocumentDefinition; readonly plan: DocumentPlan }

/**
 * Fields that are made of a column of a watched table, and the other parts of the definition that name it: `name`,
 * `where`; of a related table `country.name`, or `country` where the column leads to it.
 */
export function partsUsing(
  { definition, plan }: Defined,
  parts: readonly SourcePlan[],
  column: string,
): readonly string[] {
  return [...new Set(parts.flatMap((part) => partsOf(definition, plan, part, column)))]
}

function partsOf(
  definition: DocumentDefinition,
  plan: DocumentPlan,
  { source, key, usedColumns }: SourcePlan,
  column: string,
): string[] {
  const isKey = key.some(({ name }) => name === column)
  const { row } = definitionPart(definition, source)
  if (row === null) return isKey || usedColumns.includes(column) ? [fieldOf(source)] : []
  const within = (name: string) => (source === '' ? name : `${source}.${name}`)
  const all = source === '' ? plan.columns.used : usedColumns
  return [
    ...fieldsOf(row.fields, all, column).map(within),
    ...linkedRelations(row, column).map(within),
    ...(source === '' ? rootParts(definition, isKey, column) : relationParts(row, source, isKey, column)),
  ]
}

function fieldsOf(fields: RowFields['fields'], all: readonly string[], column: string): string[] {
  if (isList(fields)) return (fields ?? all).filter((name) => name === column)
  return Object.entries(fields).flatMap(([field, from]) =>
    (typeof from === 'string' ? from === column : names(from.sql, column)) ? [field] : [],
  )
}

/** Relations that say this column leads to them. Those found by a foreign key say nothing. */
function linkedRelations(row: RowFields, column: string): string[] {
  return Object.entries(row.relations ?? {}).flatMap(([name, { on, through }]) =>
    [on, through?.on].some((stated) => stated !== undefined && Object.hasOwn(stated, column)) ? [name] : [],
  )
}

function rootParts({ where, tenant, routing }: DocumentDefinition, isKey: boolean, column: string): string[] {
  return [
    // What is in the key without being part of the id is part of the address.
    ...(tenant === column ? ['tenant'] : []),
    ...(routing === column ? ['routing'] : []),
    ...(isKey && tenant !== column && routing !== column ? ['id'] : []),
    ...(where !== undefined && names(where, column) ? ['where'] : []),
  ]
}

function relationParts(relation: Relation, source: string, isKey: boolean, column: string): string[] {
  const { where, orderBy = [] } = relation
  const order = typeof orderBy === 'string' ? [orderBy] : orderBy
  return [
    ...(isKey ? [source] : []),
    ...(where !== undefined && names(where, column) ? [`${source}.where`] : []),
    ...(order.some((text) => names(text, column)) ? [`${source}.orderBy`] : []),
  ]
}

/** Whether a piece of SQL has a name in it. */
function names(sql: string, column: string): boolean {
  return (sql.match(/"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []).some((word) =>
    word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') === column : word.toLowerCase() === column,
  )
}

function isList(fields: RowFields['fields']): fields is readonly string[] | undefined {
  return fields === undefined || Array.isArray(fields)
}
