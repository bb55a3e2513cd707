import { tableText } from '../catalog/table-name.ts'
import type { DocumentDefinition, Relation } from '../config/types.ts'
import type { MissingLink } from './missing-indexes.ts'
import { unknownMappings } from './plan-mappings.ts'
import { tableWarnings } from './root-table.ts'
import type { PlannedRow } from './rows.ts'
import { configPath, isFieldList, type ParsedSnippets, parsedSnippet, snippetsOf } from './snippets.ts'

export interface WarningsInput {
  /** Config path of the document. */
  readonly at: string
  readonly name: string
  readonly definition: DocumentDefinition
  readonly root: PlannedRow
  readonly snippets: ParsedSnippets
  readonly missing: readonly MissingLink[]
}

/** What an operator should know about a document that is right. */
export function warningsOf({ at, name, definition, root, snippets, missing }: WarningsInput): string[] {
  return [
    ...new Set([
      ...tablesOf(root).flatMap(tableWarnings),
      ...snippetWarnings(name, definition, snippets),
      ...unusedFields(at, definition.relations),
      ...unknownMappings(at, root, definition.mappings ?? {}),
      ...missing.map(
        ({ at: relation, table, columns, why, sql }) =>
          `${relation}: no index on ${tableText(table)} (${columns.join(', ')}): ${why} reads the whole table. ${sql}`,
      ),
    ]),
  ]
}

function tablesOf({ table, relations }: PlannedRow): PlannedRow['table'][] {
  return [
    table,
    ...relations.flatMap(({ through, row }) => [
      ...(through === null ? [] : [through.table]),
      ...tablesOf(row),
    ]),
  ]
}

function snippetWarnings(name: string, definition: DocumentDefinition, snippets: ParsedSnippets): string[] {
  return snippetsOf(name, definition).flatMap(({ path, sql, table }) => {
    const { dependsOnTime, warnings } = parsedSnippet(snippets, table, sql)
    const time = `${path}: ${JSON.stringify(sql)} depends on the time, which passes without a mark: run a backfill of the rows that time changes, on a schedule (sluice backfill ${name} --where '…')`
    return [...(dependsOnTime ? [time] : []), ...warnings.map((text) => `${path}: ${text}`)]
  })
}

function unusedFields(at: string, relations: Readonly<Record<string, Relation>> = {}): string[] {
  return Object.entries(relations).flatMap(([name, { fields, flatten, relations: inner }]) => {
    const path = configPath(`${at}.relations`, name)
    if (flatten === undefined || fields === undefined) return unusedFields(path, inner)
    const unused = (isFieldList(fields) ? fields : Object.keys(fields)).filter((field) => field !== flatten)
    return unused.length === 0
      ? []
      : [`${path}.fields: "flatten" takes ${flatten} alone, ${unused.join(', ')} is not used`]
  })
}
