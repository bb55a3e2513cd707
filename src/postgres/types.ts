import type { Pool, QueryResult, QueryResultRow } from 'pg'

/** A pool, a client or a pooled client: whatever can run one statement. */
export interface Queryable {
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>
}

/** Where sluice's own tables are. */
export interface Database {
  readonly pool: Pool
  /** Name of our schema; every statement names it. */
  readonly schema: string
}

/** A version that is durable (invariant 4), and the server that gave it (invariant 6). */
export interface Version {
  readonly version: bigint
  /** As `serverSql` says. */
  readonly server: string
}

/** Which server this is. */
export interface Identity {
  readonly systemIdentifier: string
  /** Eight hexadecimal digits, the head of a WAL file's name. */
  readonly timeline: string
  /** This very server process, as `serverSql` says: it changes with every start, too. */
  readonly server: string
}

/** One state of the database, which transactions of other connections read by (`snapshot` of their options). */
export interface SharedSnapshot {
  readonly id: string
  /** Throws when it is lost: what was read by it since the last call may have failed for that. */
  touch(): Promise<void>
}
