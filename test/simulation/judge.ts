import { DOCUMENT } from './application.ts'
import { documentOf } from './memory-documents.ts'
import { BAD_TITLE, type MemoryElasticsearch } from './memory-elasticsearch.ts'
import type { MemoryPostgres } from './memory-postgres.ts'
import type { FailureRow } from './memory-rows.ts'

/** What is wrong when all is quiet: an index that is not what the rows are, a failure that should not be, or should. */
export function judge(postgres: MemoryPostgres, elasticsearch: MemoryElasticsearch): readonly string[] {
  const wrong: string[] = []
  const keys = new Set(postgres.articles.keys())
  for (const index of elasticsearch.indices.values()) for (const key of index.keys()) keys.add(key)
  for (const { index } of postgres.targets.values()) {
    for (const key of [...keys].toSorted()) {
      const title = postgres.articles.get(key)?.title ?? ''
      const failure = failureOf(postgres, key, index)
      if (title.startsWith(BAD_TITLE)) {
        // The document before it may still be there: nothing can take its place.
        if (failure === undefined) wrong.push(`${index}/${key} cannot be indexed, and no failure says so`)
        continue
      }
      const wanted = documentOf(postgres, key)
      const found = elasticsearch.source(index, key)
      if (found !== wanted) wrong.push(`${index}/${key} is ${found}, and its row makes it ${wanted}`)
      if (failure !== undefined)
        wrong.push(`${index}/${key} is in order, and a failure is left: ${failure.type}`)
    }
  }
  for (const reason of postgres.rewrites.values()) wrong.push(`a verify was requested: ${reason}`)
  return wrong
}

function failureOf(postgres: MemoryPostgres, key: string, index: string): FailureRow | undefined {
  return [...postgres.failures.values()].find(
    (row) => row.document === DOCUMENT && row.key === key && (row.target === index || row.target === ''),
  )
}

/**
 * What a document may be charged with: what an index says of it; and silence, or 502, where it was alone in its request.
 * Only one that breaks connections (`mute`) may be dead of it.
 */
export function isOwnFault({ type, state }: Pick<FailureRow, 'type' | 'state'>, mute: boolean): boolean {
  if (type === 'document_parsing_exception') return true
  return (mute || state === 'retrying') && ['connection_error', 'timeout', 'bad_gateway'].includes(type)
}

/** Nothing is left to do: no mark, no retry, no transaction. */
export function isQuiet(postgres: MemoryPostgres): boolean {
  if (postgres.marks.size > 0 || postgres.openTransactions > 0 || postgres.down) return false
  for (const { state } of postgres.failures.values()) if (state === 'retrying') return false
  return true
}
