import type { QueryResult, QueryResultRow } from 'pg'

/** A pool, a client or a pooled client: whatever can run one statement. */
export interface Queryable {
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>
}

/** A version that is durable (invariant 4), and the timeline of the server that gave it (invariant 6). */
export interface Version {
  readonly version: bigint
  readonly timeline: string
}

/** Which server this is. */
export interface Identity {
  readonly systemIdentifier: string
  /** Eight hexadecimal digits, the head of a WAL file's name. */
  readonly timeline: string
}
