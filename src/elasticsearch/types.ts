/** What is sent to Elasticsearch and what comes back. */

export interface Operation {
  readonly kind: 'index' | 'delete'
  /** Physical index. */
  readonly index: string
  readonly id: string
  /** Not empty: Elasticsearch takes that for none. */
  readonly routing?: string | undefined
  /** Ingest pipeline; only for `index`. */
  readonly pipeline?: string | undefined
  /** JSON in UTF-8 without a raw newline; only for `index`. */
  readonly body?: Buffer | undefined
  /** Key tuple it stands for. */
  readonly key: string
}

/** Every answered item falls in exactly one of these. */
export type ItemVerdict =
  | { readonly outcome: 'done'; readonly result: 'created' | 'updated' | 'deleted' | 'absent' | 'noop' }
  /** A newer version is stored. `stored` is null where the answer does not say which. */
  | { readonly outcome: 'superseded'; readonly stored: bigint | null }
  /** `charged`: counts as an attempt. False when the server was busy or a shard away (429, 503): invariant 10. */
  | { readonly outcome: 'retry'; readonly type: string; readonly reason: string; readonly charged: boolean }
  | { readonly outcome: 'dead'; readonly type: string; readonly reason: string }
  /** The index, not the document, is the obstacle: nobody is charged. */
  | { readonly outcome: 'blocked'; readonly type: string; readonly reason: string }

/**
 * Every request ends in exactly one of these. `suspicious`: a document in it may be why, rather than the server (what
 * takes too long, breaks the connection, is too much for a node's memory or displeases a proxy); where Elasticsearch
 * answers probes and not this, it is worth trying with fewer documents (invariant 11).
 */
export type BulkAnswer =
  | { readonly outcome: 'answered'; readonly items: readonly ItemVerdict[]; readonly tookMs: number }
  /** Time-out, reset, 429, 502, 503, 504, or an answer that makes no sense: some of it may have been applied. */
  | {
      readonly outcome: 'unknown'
      readonly type: string
      readonly reason: string
      readonly suspicious?: true
    }
  /** 401, 403, 406, wrong product: nothing goes on until someone acts. `unauthorized`: 401, it does not know us. */
  | {
      readonly outcome: 'blocked'
      readonly type: string
      readonly reason: string
      readonly unauthorized?: true
      readonly suspicious?: true
    }
  /** 413. */
  | { readonly outcome: 'too-large'; readonly reason: string }
  /** 400 for the request as a whole: one of its operations is malformed. */
  | { readonly outcome: 'refused'; readonly type: string; readonly reason: string }

export interface ServerInfo {
  readonly product: 'elasticsearch' | 'opensearch'
  readonly version: string
}

/** Where a document is. */
export type DocumentAddress = Pick<Operation, 'index' | 'id' | 'routing'>

/** A document as a listing of its index has it. */
export interface ListedDocument {
  readonly id: string
  readonly routing: string | null
}

/** A document as it stands in an index. */
export interface StoredDocument {
  readonly index: string
  readonly id: string
  readonly found: boolean
  /** As text: versions may exceed 2^53. */
  readonly version: string | null
  readonly source: unknown
}

/** A document as it stands, with the text that was sent. */
export interface StoredText {
  readonly found: boolean
  /** As text: versions may exceed 2^53. Null where there is none. */
  readonly version: string | null
  /** By which it was written. One that was not asked for: within a shard `_id`s are unique, whatever the routing. */
  readonly routing: string | null
  /** JSON text; null where there is none, was not asked for, or the index keeps none. */
  readonly source: string | null
}
