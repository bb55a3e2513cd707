/**
 * The closed set of errors that reach a user. Each says what is wrong, where, and what to do next.
 * They are values until the edge: nothing below cli/ and the daemon's loop logs them.
 */

export interface ErrorDetails {
  /** Where it is: a config path (`documents.city.table`), a variable (`DATABASE_URL`), a table, an index. */
  readonly where?: string
  /** What to do next, as an imperative sentence. */
  readonly remedy?: string
  readonly cause?: unknown
}

export abstract class SluiceError extends Error {
  abstract readonly code: 'config' | 'usage' | 'unreachable' | 'schema' | 'document-query' | 'failed'
  readonly where: string | undefined
  readonly remedy: string | undefined

  constructor(what: string, details: ErrorDetails = {}) {
    super(
      details.where ? `${details.where}: ${what}` : what,
      details.cause === undefined ? {} : { cause: details.cause },
    )
    this.name = new.target.name
    this.where = details.where
    this.remedy = details.remedy
  }
}

/** The configuration, an environment variable, or what they name in the database or in Elasticsearch. Exit code 2. */
export class ConfigError extends SluiceError {
  readonly code = 'config'
}

/** Wrong use of a command: unknown document, missing argument. Exit code 2. */
export class UsageError extends SluiceError {
  readonly code = 'usage'
}

/** Postgres or Elasticsearch does not answer, or refuses us (credentials, wrong product). Exit code 4. */
export class UnreachableError extends SluiceError {
  readonly code = 'unreachable'
  /** HTTP status of the answer: somebody is there, and did not do this. Null: there was none. */
  readonly status: number | null

  constructor(what: string, details: ErrorDetails & { readonly status?: number } = {}) {
    super(what, details)
    this.status = details.status ?? null
  }
}

/** Our schema is missing, older or newer than this program. Exit code 2. */
export class SchemaError extends SluiceError {
  readonly code = 'schema'
  /** True when waiting does not help: the schema is newer than this program, or the server too old for it. */
  readonly final: boolean

  constructor(what: string, details: ErrorDetails & { readonly final?: boolean } = {}) {
    super(what, details)
    this.final = details.final ?? false
  }
}

/** A document's own query failed for a reason that is not one row's (dropped column, missing grant): the document is paused. */
export class DocumentQueryError extends SluiceError {
  readonly code = 'document-query'
}

/** The operation was understood and tried, and did not succeed. Exit code 1. */
export class FailedError extends SluiceError {
  readonly code = 'failed'
}

/** Elasticsearch answered, and without some of what was asked: a shard is away, a listing was forgotten. The same may go well later. */
export class IncompleteError extends FailedError {}

/** What was waited for did not come in time; it may come yet. Exit code 1. */
export class TimeoutError extends FailedError {
  /** Documents that were waited for. */
  readonly pending: readonly string[]

  constructor(what: string, { pending, ...details }: ErrorDetails & { readonly pending: readonly string[] }) {
    super(what, details)
    this.pending = pending
  }
}

/** A message for people: what went wrong, and what to do. */
export function describeError(error: unknown): string {
  if (error instanceof SluiceError)
    return error.remedy ? `${error.message}\n  → ${error.remedy}` : error.message
  return error instanceof Error ? error.message : String(error)
}
