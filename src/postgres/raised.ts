import pg from 'pg'

/**
 * Where a function of the user's raised the error, as Postgres says it (`function app.slug(text) line 3`); null for
 * every other error. What it raised may be made of values: it is not repeated.
 */
export function raisedIn(error: unknown): string | null {
  if (!(error instanceof pg.DatabaseError) || error.routine !== 'exec_stmt_raise') return null
  return /^PL\/pgSQL (function .{1,200} line \d+) at RAISE/.exec(error.where ?? '')?.[1] ?? 'a function'
}
