import type { DocumentKey } from '../../src/documents/types.ts'
import type { LoadPlan, LoadRow } from '../../src/sync/batch-store.ts'
import type { MemoryPostgres } from './memory-postgres.ts'

/** The application's rows as documents: what the plan's view and the load query do. */

/** The plan's query for documents; any other is for the rows of the root table (the brake's). */
export const LOAD_SQL = 'documents'

export function rowOf(
  postgres: MemoryPostgres,
  { loadSql }: LoadPlan,
  { key }: DocumentKey,
  n: number,
): readonly LoadRow[] {
  const json = loadSql === LOAD_SQL ? documentOf(postgres, key) : postgres.articles.has(key) ? '{}' : null
  return json === null ? [] : [[n + 1, key, Buffer.from(json), null]]
}

/** The document that the rows make of a key, or null. */
export function documentOf(postgres: MemoryPostgres, key: string): string | null {
  const article = postgres.articles.get(key)
  if (article === undefined) return null
  const author = article.author === null ? undefined : postgres.authors.get(article.author)
  return JSON.stringify({ id: Number(key), title: article.title, author: author?.name ?? null })
}

export const articlesOf = (postgres: MemoryPostgres, author: string | null): readonly string[] =>
  [...postgres.articles]
    .filter(([, article]) => author !== null && article.author === author)
    .map(([id]) => id)
