import { tableText } from '../catalog/table-name.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { type Finding, findingOf } from './findings.ts'
import { definitionPart, fieldOf, leftOut, partsUsing } from './parts-using.ts'
import {
  leavesOf,
  type Snapshot,
  type WatchedColumn,
  type WatchedDocument,
  type WatchedTable,
} from './watched.ts'

/** What became of one table of a document. */
export function tableFindings(
  document: WatchedDocument,
  table: WatchedTable,
  before: Snapshot,
  after: Snapshot,
): readonly Finding[] {
  const own = ofTable(document, table, before, after)
  const gone = after.columns.get(table.relation) === undefined
  return gone
    ? own
    : [
        ...own,
        ...columnFindings(document, table, before, after),
        ...partitionFindings(document, table, before, after),
      ]
}

/** Related tables are told with what is made of them; of the root table that is everything. */
function fieldsOf({ parts }: WatchedTable): readonly string[] {
  return isRoot({ parts }) ? [] : [...new Set(parts.map(({ source }) => fieldOf(source)))]
}

function isRoot({ parts }: Pick<WatchedTable, 'parts'>): boolean {
  return parts.some(({ source }) => source === '')
}

/** ` (documents.city.relations.country)`; of the root table nothing. */
function placesOf({ name, definition }: WatchedDocument, table: WatchedTable): string {
  return isRoot(table) ? '' : ` (${statedIn(name, definition, table).join(', ')})`
}

function statedIn(name: string, definition: DocumentDefinition, { parts }: WatchedTable): string[] {
  return parts.map(({ source }) => `documents.${name}.${definitionPart(definition, source).path}`)
}

function ofTable(
  document: WatchedDocument,
  table: WatchedTable,
  before: Snapshot,
  after: Snapshot,
): Finding[] {
  const was = before.catalog.tables.find(({ oid }) => oid === table.relation)
  if (was === undefined) return []
  const is = after.catalog.tables.find(({ oid }) => oid === table.relation)
  if (is !== undefined && tableText(is) === tableText(was)) return []
  const name = `${tableText(was)}${placesOf(document, table)}`
  const told = (rest: Pick<Finding, 'effect' | 'what' | 'remedy'>) => [
    findingOf(document, { kind: 'table', fields: fieldsOf(table), ...rest }),
  ]
  if (after.catalog.table(was) !== undefined) {
    const old = is === undefined ? 'which is dropped' : `now ${tableText(is)}`
    return told({
      effect: 'breaks',
      what: `${name} is another table after it: triggers and documents follow the old one, ${old}`,
      remedy: 'Run sluice install right after it: it moves the triggers, and looks at every document.',
    })
  }
  if (is === undefined) {
    return told({
      effect: 'breaks',
      what: `it drops ${name}`,
      remedy: isRoot(table)
        ? `Remove the document first: sluice uninstall ${document.name}.`
        : `Take ${statedIn(document.name, document.definition, table).join(', ')} out of the configuration and run sluice install first.`,
    })
  }
  return told({
    effect: 'changes',
    what: `${name} is called ${tableText(is)} after it: sluice follows`,
    remedy: isRoot(table)
      ? `State table: '${tableText(is)}' in the configuration and run sluice install.`
      : `State '${tableText(is)}' in ${statedIn(document.name, document.definition, table).join(', ')} and run sluice install.`,
  })
}

function columnFindings(
  document: WatchedDocument,
  watched: WatchedTable,
  before: Snapshot,
  after: Snapshot,
): Finding[] {
  const { relation, parts } = watched
  const was = before.columns.get(relation) ?? new Map<number, WatchedColumn>()
  const is = after.columns.get(relation) ?? new Map<number, WatchedColumn>()
  const table = tableText(after.catalog.tables.find(({ oid }) => oid === relation) ?? document.plan.table)
  const used = (column: string) => parts.some(({ usedColumns }) => usedColumns.includes(column))
  const changed = [...was].flatMap(([number, column]): Finding[] =>
    used(column.name) ? columnFinding(document, watched, { table, was: column, is: is.get(number) }) : [],
  )
  const added = [...is].filter(([number]) => !was.has(number)).map(([, { name }]) => name)
  return added.length > 0 && takesAllColumns(document, watched)
    ? [...changed, addedColumns(document, watched, table, added)]
    : changed
}

interface ColumnChange {
  readonly table: string
  readonly was: WatchedColumn
  readonly is: WatchedColumn | undefined
}

function columnFinding(
  document: WatchedDocument,
  watched: WatchedTable,
  { table, was, is }: ColumnChange,
): Finding[] {
  const fields = partsUsing(document, watched.parts, was.name)
  const told = (rest: Pick<Finding, 'effect' | 'what' | 'remedy'>) =>
    findingOf(document, { kind: 'column', fields, ...rest })
  const places = placesOf(document, watched)
  if (is === undefined) {
    return [
      told({
        effect: 'breaks',
        what: `it drops ${table}.${was.name}, which the document uses${places}`,
        remedy: 'Take it out of the configuration and run sluice install first.',
      }),
    ]
  }
  const findings: Finding[] = []
  if (is.name !== was.name) {
    const field = fields[0]?.split('.').at(-1) ?? was.name
    findings.push(
      told({
        effect: 'changes',
        what: `${table}.${was.name} is called ${is.name} after it: sluice follows, and the document stays as it is${places}`,
        remedy: `State ${is.name} in the configuration and run sluice install (the field may keep its name: { ${field}: '${is.name}' }).`,
      }),
    )
  }
  if (is.type !== was.type) {
    findings.push(
      told({
        effect: 'changes',
        what: `${table}.${is.name} becomes ${is.type}, it was ${was.type}${places}`,
        remedy: 'Run sluice install after it.',
      }),
    )
  }
  return findings
}

/** A part of the document that takes all columns of the table, without a list of them. */
function takesAllColumns({ definition }: WatchedDocument, { parts }: WatchedTable): boolean {
  return parts.some(({ source }) => leftOut(definition, source) !== null)
}

function addedColumns(
  document: WatchedDocument,
  watched: WatchedTable,
  table: string,
  added: readonly string[],
): Finding {
  const [one, it] = added.length === 1 ? ['this one', 'it'] : ['these', 'them']
  return findingOf(document, {
    effect: 'changes',
    kind: 'column',
    fields: fieldsOf(watched),
    what: `${table} has ${added.join(', ')} more: the document has all columns of the day it was installed, and not yet ${one}${placesOf(document, watched)}`,
    remedy: `Run sluice install to add ${it}, or leave ${it} out with omit.`,
  })
}

function partitionFindings(
  document: WatchedDocument,
  table: WatchedTable,
  before: Snapshot,
  after: Snapshot,
): Finding[] {
  const fields = fieldsOf(table)
  const places = placesOf(document, table)
  const was = leavesOf(before, table.relation)
  const is = leavesOf(after, table.relation)
  const existed = new Set(before.catalog.tables.map(({ oid }) => oid))
  const named = (leaves: readonly (readonly [number, { schema: string; name: string }])[]) =>
    leaves.map(([, leaf]) => tableText(leaf)).join(', ')
  const fresh = [...is].filter(([oid]) => !was.has(oid))
  const attached = fresh.filter(([oid]) => existed.has(oid))
  const created = fresh.filter(([oid]) => !existed.has(oid))
  const removed = [...was].filter(([oid]) => !is.has(oid))
  const findings: Finding[] = []
  if (attached.length > 0) {
    findings.push(
      findingOf(document, {
        fields,
        effect: 'breaks',
        kind: 'partition',
        what: `it attaches ${named(attached)}: rows that are in there come without a mark${places}`,
        remedy: `Run sluice install and sluice backfill ${document.name} after it.`,
      }),
    )
  }
  if (created.length > 0) {
    findings.push(
      findingOf(document, {
        fields,
        effect: 'changes',
        kind: 'partition',
        what: `it adds ${named(created)}: all is noticed but a TRUNCATE of that partition alone${places}`,
        remedy: 'Run sluice install after it.',
      }),
    )
  }
  if (removed.length > 0) {
    findings.push(
      findingOf(document, {
        fields,
        effect: 'breaks',
        kind: 'partition',
        what: `it takes ${named(removed)} away: ${isRoot(table) ? 'documents of their rows stay in the index' : `documents keep what they have of their rows${places}`}`,
        remedy: `Delete the rows first, which marks them; or sluice detach ${document.name} before it and sluice install after it, which looks at every document.`,
      }),
    )
  }
  return findings
}
