import type pg from 'pg'
import { parseQuery } from '../catalog/parse-query.ts'
import { parseSnippet } from '../catalog/parse-snippet.ts'
import { findTable } from '../catalog/table-name.ts'
import type { Catalog, ParsedSnippet } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { planDocument } from '../documents/plan.ts'
import { snippetsOf } from '../documents/snippets.ts'
import { planQueryDocument } from '../documents/sql-plan.ts'
import { planQueryRoot, queryParameters } from '../documents/sql-root.ts'
import type { DocumentPlan } from '../documents/types.ts'

/**
 * Plans all documents of a configuration against a catalog: Postgres parses their SQL, the rest is pure. Changes
 * nothing. Throws the first ConfigError.
 */
export async function planDocuments(
  client: pg.ClientBase,
  schema: string,
  catalog: Catalog,
  definitions: ReadonlyMap<string, DocumentDefinition>,
): Promise<readonly DocumentPlan[]> {
  const plans: DocumentPlan[] = []
  for (const [name, definition] of definitions) {
    const { sql } = definition
    plans.push(
      sql === undefined
        ? await planRows(client, schema, catalog, name, definition)
        : await planQuery(client, schema, catalog, name, { ...definition, sql }),
    )
  }
  return plans
}

async function planRows(
  client: pg.ClientBase,
  schema: string,
  catalog: Catalog,
  name: string,
  definition: DocumentDefinition,
): Promise<DocumentPlan> {
  const snippets = new Map<string, ParsedSnippet>()
  const table = findTable(catalog, definition.table)
  // Without a table planDocument says so.
  if (table !== undefined) {
    for (const { path, sql } of snippetsOf(name, definition)) {
      snippets.set(sql, await parseSnippet(client, table, sql, path))
    }
  }
  return planDocument({ name, definition, catalog, snippets, schema })
}

async function planQuery(
  client: pg.ClientBase,
  schema: string,
  catalog: Catalog,
  name: string,
  definition: DocumentDefinition & { readonly sql: string },
): Promise<DocumentPlan> {
  const root = planQueryRoot(name, definition, catalog, schema)
  const query = await parseQuery(client, {
    sql: definition.sql,
    parameters: queryParameters(root),
    root: root.table.oid,
    where: `documents.${name}.sql`,
  })
  return planQueryDocument({ name, definition, catalog, query, schema })
}
