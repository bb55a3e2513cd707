/** What the configuration file and the environment say, after validation. Plain data. */

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
  /**
   * Mass-delete brake: `deletes` is the share of the index (0 to 1) that may be deleted within ten minutes though no
   * DELETE or TRUNCATE says so; 1,000 documents always may. What is above that waits for `sluice resume --deletes`.
   * Default 0.1.
   */
  readonly brake?: { readonly deletes: number }
}

/** The `connection` of the configuration; each is also an environment variable. */
export interface Connection {
  /** `postgres://user:password@host:5432/database` (DATABASE_URL). */
  readonly postgres?: string
  /** `https://host:9200`, or several nodes of one cluster separated by commas (ELASTICSEARCH_URL). */
  readonly elasticsearch?: string
  /** Encoded API key, as Elasticsearch shows it once (ELASTICSEARCH_API_KEY). */
  readonly elasticsearchApiKey?: string
  /** With `elasticsearchPassword`, instead of an API key (ELASTICSEARCH_USERNAME). */
  readonly elasticsearchUsername?: string
  /** ELASTICSEARCH_PASSWORD. */
  readonly elasticsearchPassword?: string
  /** PEM file; a relative path starts at the configuration file (ELASTICSEARCH_CA_FILE). */
  readonly elasticsearchCaFile?: string
}

/** The `limits` of the configuration; each is also an environment variable (`batchSize` is BATCH_SIZE). */
export interface Limits {
  /** Keys in a batch. Default 1000. */
  readonly batchSize: number
  /** Bytes of a bulk request. Default 1 MiB. */
  readonly batchBytes: number
  /** Batches in flight. Default 2. */
  readonly concurrency: number
  /** Milliseconds between looks at an empty queue. Default 50; stretches to 250 after ten idle seconds. */
  readonly pollingInterval: number
  /** Attempts for a document before it is dead. Default 5. */
  readonly maxRetries: number
  /** Milliseconds until a request to Elasticsearch is given up. Default 30000. */
  readonly requestTimeout: number
  /** Milliseconds that batches under way get to finish at shutdown. Default 30000. */
  readonly shutdownTimeout: number
  /** Days that `sync_log` is kept. Default 7. */
  readonly syncLogRetentionDays: number
}

/** What a user writes in `sluice.config.ts`. */
export interface SluiceConfig {
  readonly connection?: Connection
  readonly limits?: Partial<Limits>
  /** Schema that holds sluice's own tables. Default `sluice` (SLUICE_SCHEMA). */
  readonly schema?: string
  /** Name of this daemon among its siblings. Default `<host>-<pid>` (SLUICE_INSTANCE). */
  readonly instance?: string
  /** Default `info` (LOG_LEVEL). */
  readonly logLevel?: LogLevel
  /** Document name → what it is made of. */
  readonly documents: Readonly<Record<string, DocumentDefinition>>
}

export interface ElasticsearchSettings {
  /** One URL, or several nodes of one cluster separated by commas. Never holds credentials. */
  readonly url: string
  readonly apiKey?: string
  readonly username?: string
  readonly password?: string
  /** PEM file of the authority that signed the server's certificate; absolute. */
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

/** Settings without the documents, for commands that need none: nothing has to be there. */
export interface BaseSettings extends Pick<Settings, 'schema' | 'instance' | 'logLevel' | 'limits'> {
  readonly postgres: string | null
  readonly elasticsearch: ElasticsearchSettings | null
  /** null where there is no configuration file. */
  readonly file: string | null
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]
