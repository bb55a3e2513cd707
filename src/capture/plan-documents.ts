import type pg from 'pg'
import { parseSnippet } from '../catalog/parse-snippet.ts'
import { findTable } from '../catalog/table-name.ts'
import type { Catalog, ParsedSnippet } from '../catalog/types.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { planDocument } from '../documents/plan.ts'
import { type ParsedSnippets, snippetKey, snippetsOf } from '../documents/snippets.ts'
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
    const snippets = await parseSnippets(client, catalog, name, definition)
    plans.push(planDocument({ name, definition, catalog, snippets, schema }))
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
