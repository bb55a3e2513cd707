/** What the configuration file and the environment say, after validation. Plain, frozen data. */

/** A piece of SQL over the root row alone, made by `sql('lower(name)')`. In JSON: `{ "sql": "lower(name)" }`. */
export interface SqlExpression {
  readonly sql: string
}

/** A field of a document: the name of a column, or an expression. */
export type FieldSource = string | SqlExpression

export interface DocumentDefinition {
  /** Root table: `schema.table`, or `table` for `public.table`. */
  readonly table: string
  /** Alias that searches use. Physical indices are `<index>-<utc stamp>-<random>`. */
  readonly index: string
  /** Key columns. Default: the primary key. */
  readonly id?: readonly string[]
  /** SQL condition over the root row; a row that does not match has no document. */
  readonly where?: string
  /** Columns to take (`['id', 'name']`), or field path → column or expression. Default: all columns. */
  readonly fields?: readonly string[] | Readonly<Record<string, FieldSource>>
  /** Columns to leave out; only without `fields`. */
  readonly omit?: readonly string[]
  /** Merged over what is derived from the column types. `{ properties: … }`, as Elasticsearch has it. */
  readonly mappings?: Readonly<Record<string, unknown>>
  /** Index settings, merged over ours. */
  readonly settings?: Readonly<Record<string, unknown>>
}

export interface Connection {
  readonly postgres?: string
  readonly elasticsearch?: string
}

/** The `limits` of the configuration; each is also an environment variable (`batchSize` is BATCH_SIZE). */
export interface Limits {
  readonly batchSize: number
  readonly batchBytes: number
  readonly concurrency: number
  readonly pollingInterval: number
  readonly maxRetries: number
  readonly requestTimeout: number
  readonly shutdownTimeout: number
  readonly syncLogRetentionDays: number
}

/** What a user writes in `sluice.config.ts`. */
export interface SluiceConfig {
  readonly connection?: Connection
  readonly limits?: Partial<Limits>
  readonly documents: Readonly<Record<string, DocumentDefinition>>
}

export interface ElasticsearchSettings {
  /** One URL, or several nodes of one cluster separated by commas. */
  readonly url: string
  readonly apiKey?: string
  readonly username?: string
  readonly password?: string
  /** PEM file of the authority that signed the server's certificate. */
  readonly caFile?: string
}

/** Configuration, environment and flags, merged and validated: flags beat environment, environment beats config. */
export interface Settings {
  readonly postgres: string
  readonly elasticsearch: ElasticsearchSettings
  readonly schema: string
  readonly instance: string
  readonly logLevel: LogLevel
  readonly limits: Limits
  /** Document name → definition; its hash is `definitionHash(definition)`. */
  readonly documents: ReadonlyMap<string, DocumentDefinition>
  /** File the configuration came from, for messages. */
  readonly file: string
}

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
