import { UsageError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import { readFailures } from './read-failures.ts'

/** The keys of failures, which lists show by their `_id`. Throws a UsageError for one that has not failed. */
export async function keysOfFailures(
  db: Queryable,
  schema: string,
  document: string,
  ids: readonly string[],
): Promise<string[]> {
  const failures = await readFailures(db, schema, { document, ids }, null)
  const unknown = ids.filter((id) => !failures.some((failure) => failure.id === id))
  if (unknown.length > 0) {
    throw new UsageError(`${document} ${unknown.join(', ')} has not failed`, {
      remedy: `sluice failed list ${document} shows what has.`,
    })
  }
  return [...new Set(failures.map(({ key }) => key))]
}
