import type pg from 'pg'
import { parseQuery } from '../catalog/parse-query.ts'
import { parseSnippet } from '../catalog/parse-snippet.ts'
import { findTable } from '../catalog/table-name.ts'
import type { Catalog, ParsedSnippet } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { planDocument } from '../documents/plan.ts'
import { type ParsedSnippets, snippetKey, snippetsOf } from '../documents/snippets.ts'
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
    if (sql === undefined) {
      const snippets = await parseSnippets(client, catalog, name, definition)
      plans.push(planDocument({ name, definition, catalog, snippets, schema }))
      continue
    }
    const root = planQueryRoot(name, definition, catalog, schema)
    const query = await parseQuery(client, {
      sql,
      parameters: queryParameters(root),
      root: root.table.oid,
      where: `documents.${name}.sql`,
    })
    plans.push(planQueryDocument({ name, definition, catalog, query, schema }))
  }
  return plans
}

async function parseSnippets(
  client: pg.ClientBase,
  catalog: Catalog,
  name: string,
  definition: DocumentDefinition,
): Promise<ParsedSnippets> {
  const snippets = new Map<string, ParsedSnippet>()
  for (const snippet of snippetsOf(name, definition)) {
    const table = findTable(catalog, snippet.table)
    // Without a table planDocument says so.
    if (table === undefined) continue
    snippets.set(snippetKey(snippet), await parseSnippet(client, table, snippet.sql, snippet.path))
  }
  return snippets
}
