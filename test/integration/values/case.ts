import type { FieldMapping } from '../../../src/documents/field-types.ts'

/** One value, stored in a column of its own, and what becomes of it. */
export interface ValueCase {
  /** Also the name of its column and field; `$` in a reason stands for it. */
  readonly name: string
  /** SQL. */
  readonly type: string
  /** SQL. */
  readonly value: string
  /** What the configuration says of the field; nothing: the derived mapping. */
  readonly mapping?: FieldMapping
  readonly becomes: Outcome
  /** First major version of Postgres that has such a value; nothing: all do. */
  readonly since?: number
}

export type Outcome =
  /** Text of the field in `_source`, character by character; where OpenSearch refuses it, its reason. */
  | { readonly json: string; readonly onOpenSearch?: string }
  /** `sync_failed.reason`; where OpenSearch words it otherwise, both. */
  | { readonly refused: string; readonly onOpenSearch?: string }
  /** SQLSTATE: Postgres itself does not take it, so there is nothing to index. */
  | { readonly unstorable: string }

/** A group of cases is one table and one document: their rows share batches. */
export interface Group {
  /** Of the document and of the table. */
  readonly name: string
  /** SQL run before the table is created. */
  readonly types?: string
  readonly cases: readonly ValueCase[]
}

/** The value arrives as this JSON. */
export function kept(
  name: string,
  type: string,
  value: string,
  json: string,
  mapping?: FieldMapping,
): ValueCase {
  return { name, type, value, ...(mapping && { mapping }), becomes: { json } }
}

/** Its row is a dead letter, with this reason; the others of its batch are indexed. */
export function refused(
  name: string,
  type: string,
  value: string,
  reason: string | readonly [elasticsearch: string, opensearch: string],
  mapping?: FieldMapping,
): ValueCase {
  const [elasticsearch, opensearch] = typeof reason === 'string' ? [reason] : reason
  const becomes = { refused: elasticsearch, ...(opensearch && { onOpenSearch: opensearch }) }
  return { name, type, value, ...(mapping && { mapping }), becomes }
}

/** Postgres refuses it. */
export function unstorable(name: string, type: string, value: string, sqlState: string): ValueCase {
  return { name, type, value, becomes: { unstorable: sqlState } }
}

export const notFinite = 'field "$" is NaN or infinite: Elasticsearch has no such number'
export const noSuchDate =
  'field "$" is infinity, before the year 1, or after the year 9999: Elasticsearch has no such date'

/** The field could not be parsed, and why. */
export function unparsed(type: string, why?: string): string {
  return `failed to parse field [$] of type [${type}]${why === undefined ? '' : `: ${why}`}`
}
