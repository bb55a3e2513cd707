import { suggest } from '../catalog/suggest.ts'
import { findTable, parseTableName, tableText } from '../catalog/table-name.ts'
import type { Catalog, Table } from '../catalog/types.ts'
import { ConfigError } from '../errors.ts'

/** The table that a document's rows come from; refused where a change of a row could go unseen. */
export function planTable(where: string, text: string, catalog: Catalog, ownSchema: string): Table {
  const table = findTable(catalog, text)
  if (table === undefined) throw unknownTable(where, text, catalog)
  const problem = problemOf(table, catalog, ownSchema)
  if (problem !== null)
    throw new ConfigError(`${tableText(table)} ${problem.what}`, { where, remedy: problem.remedy })
  return table
}

function unknownTable(where: string, text: string, catalog: Catalog): ConfigError {
  const name = parseTableName(text)
  const remedy = 'Write schema.table, or table for a table in public, as the database spells it.'
  if (name === null) return new ConfigError(`${JSON.stringify(text)} is not a table name`, { where, remedy })
  const known = catalog.tables.filter(({ kind }) => kind === 'r' || kind === 'p').map(tableText)
  return new ConfigError(`there is no table ${JSON.stringify(text)}${suggest(tableText(name), known)}`, {
    where,
    remedy,
  })
}

interface Problem {
  readonly what: string
  readonly remedy: string
}

const useSql =
  'Name the table that the rows are stored in; what a view computes needs a document with "sql" and "dependsOn".'

function problemOf(table: Table, catalog: Catalog, ownSchema: string): Problem | null {
  if (table.schema === ownSchema) {
    return { what: "is one of sluice's own tables", remedy: 'Name a table of your application.' }
  }
  if (table.kind === 'v')
    return { what: 'is a view: its rows change without a statement on it', remedy: useSql }
  if (table.kind === 'm') {
    return { what: 'is a materialized view: triggers cannot watch a REFRESH', remedy: useSql }
  }
  if (table.kind === 'f')
    return { what: 'is a foreign table: changes on its server fire no trigger here', remedy: useSql }
  if (table.partitionOf !== null) {
    const parent = tableText(table.partitionOf)
    return {
      what: `is a partition of ${parent}: statements on ${parent} do not fire its triggers`,
      remedy: `Name ${parent}, with a "where" for the rows of this partition.`,
    }
  }
  if (table.inherits) {
    return {
      what: 'is part of an inheritance tree: a statement on the parent changes children unseen',
      remedy: 'Use declarative partitioning, or end the inheritance (ALTER TABLE … NO INHERIT …).',
    }
  }
  const foreign = table.leaves.find((leaf) => catalog.table(leaf)?.kind === 'f')
  if (foreign !== undefined) {
    return {
      what: `has the foreign partition ${tableText(foreign)}: changes on its server fire no trigger here`,
      remedy: 'Detach it, or index its rows from the server they are stored on.',
    }
  }
  return null
}

/** What an operator should know about the table. */
export function tableWarnings(table: Table): string[] {
  const warnings: string[] = []
  if (table.rowSecurity) {
    warnings.push(
      `${tableText(table)} has row-level security: the roles that install and run must own the table or have BYPASSRLS, else nothing is read`,
    )
  }
  if (table.unlogged) {
    warnings.push(
      `${tableText(table)} is unlogged: a crash of Postgres empties it without a mark; run sluice verify --repair then`,
    )
  }
  return warnings
}
