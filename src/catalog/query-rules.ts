import { ConfigError } from '../errors.ts'
import type { QueryClosure, QueryFunction } from './query-reads.ts'
import { readsClock, sessionFunctions } from './snippet-rules.ts'

/**
 * A document may depend on stored rows and, with a warning, on the clock. Anything else could change it without a
 * mark, and then the index would stay wrong.
 *
 * @throws ConfigError
 */
export function judgeQuery(
  closure: QueryClosure,
  where: string,
): { readonly opaque: readonly string[]; readonly dependsOnTime: boolean } {
  const refuse = (what: string, remedy: string) => new ConfigError(what, { where, remedy })
  const session =
    'Use what is stored in rows: a role, a setting or a schema is the same for every row the daemon reads.'
  if (closure.readsSession)
    throw refuse('the query reads a value of the session, which the daemon has another of', session)
  const temporary = closure.names.find(({ schema }) => schema.startsWith('pg_temp'))
  if (temporary !== undefined) {
    throw refuse(
      `the query reads the temporary table ${temporary.name}, which only this session has`,
      'Read a table that stays.',
    )
  }
  for (const called of closure.functions) {
    if (called.volatility === 'v') {
      throw refuse(
        `the query, or a view that it reads, calls ${called.name}(), which is volatile: its value changes without a mark`,
        'Store the value in a column. A function of your own that only reads is declared STABLE.',
      )
    }
    if (called.schema === 'pg_catalog' && sessionFunctions.has(called.name)) {
      throw refuse(
        `the query, or a view that it reads, calls ${called.name}(), which differs between sessions`,
        session,
      )
    }
  }
  return {
    opaque: closure.functions.filter(isOpaque).map(({ schema, name }) => `${schema}.${name}`),
    dependsOnTime: closure.readsClock || closure.functions.some(readsClock),
  }
}

/** STABLE and with a body that Postgres keeps as text: it may read tables. IMMUTABLE says that it does not. */
function isOpaque({ schema, volatility, extension, tree }: QueryFunction): boolean {
  return (
    volatility === 's' &&
    tree === null &&
    !extension &&
    schema !== 'pg_catalog' &&
    schema !== 'information_schema'
  )
}
