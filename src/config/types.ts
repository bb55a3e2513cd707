/** What the configuration file and the environment say, after validation. Plain data. */

/** A piece of SQL over one row alone, made by `sql('lower(name)')`. In JSON: `{ "sql": "lower(name)" }`. */
export interface SqlExpression {
  readonly sql: string
}

/** A field of a document: the name of a column, or an expression. */
export type FieldSource = string | SqlExpression

/** What is taken of a row: of the root table, or of a related one. */
export interface RowFields {
  /** Columns to take (`['id', 'name']`), or field path → column or expression. Default: all columns. */
  readonly fields?: readonly string[] | Readonly<Record<string, FieldSource>>
  /** Columns to leave out; only without `fields`. */
  readonly omit?: readonly string[]
  /** Field → rows of another table that belong to this one. */
  readonly relations?: Readonly<Record<string, Relation>>
}

/**
 * Rows of another table that belong to a row: `{ one: 'geo.country' }` puts one object into the document (or null),
 * `{ many: 'geo.review' }` an array of them (or an empty one).
 */
export interface Relation extends RowFields {
  /** Table of which at most one row belongs. Either `one` or `many`. */
  readonly one?: string
  /** Table of which any number of rows belongs. */
  readonly many?: string
  /**
   * Columns that link them: `{ column here: column there }`; with `through`, there is the table in between.
   * Default: the only foreign key between the two.
   */
  readonly on?: Readonly<Record<string, string>>
  /** A table in between, with a key of each: many-to-many. Only with `many`. */
  readonly through?: Through
  /** SQL condition over the related row alone. */
  readonly where?: string
  /** Columns of the related table, each perhaps followed by ` desc`. Ties are broken by its key. Only with `many`. */
  readonly orderBy?: string | readonly string[]
  /** Most related rows, the first by `orderBy`, which it needs. */
  readonly limit?: number
  /** Mapped as `nested` instead of `object`: a query can ask several fields of one and the same element. Only with `many`. */
  readonly nested?: boolean
  /** Takes this one field of each row instead of an object: `languages: ['Deutsch', 'Français']`. */
  readonly flatten?: string
}

export interface Through {
  /** The table in between. */
  readonly table: string
  /** `{ column here: column of the table in between }`. Default: the only foreign key. */
  readonly on?: Readonly<Record<string, string>>
  /** `{ column of the table in between: column of the related table }`. Default: the only foreign key. */
  readonly to?: Readonly<Record<string, string>>
}

/** What `transform` is told besides the document. */
export interface TransformContext {
  /** Name of the document: `city`. */
  readonly document: string
  /** Its `_id`. */
  readonly id: string
}

/**
 * Changes a document before it is sent; null leaves it out (a delete). It gets parsed JSON, in which whole numbers beyond
 * 2^53 are strings. It has to say the same of the same document: what it looks up elsewhere changes without a mark.
 */
export type Transform = (
  document: Record<string, unknown>,
  context: TransformContext,
) => TransformResult | Promise<TransformResult>

export type TransformResult = Readonly<Record<string, unknown>> | null

export interface DocumentDefinition extends RowFields {
  /** Root table: `schema.table`, or `table` for `public.table`. With `sql` it may be a view. */
  readonly table: string
  /**
   * Alias that searches use. Physical indices are `<index>-<utc stamp>-<random>`.
   * `cities-{tenant}`: an index of its own for each value of the column `tenant`.
   */
  readonly index: string
  /** Key columns. Default: the primary key. */
  readonly id?: readonly string[]
  /** SQL condition over the root row; a row that does not match has no document. */
  readonly where?: string
  /** Column of the root table that says whose row it is: for `{tenant}` in `index`, and for `--tenant`. */
  readonly tenant?: string
  /** Column of the root table whose text routes the document to its shard. */
  readonly routing?: string
  /** Ingest pipeline that each document goes through. */
  readonly pipeline?: string
  /** Function that changes a document before it is sent. Not in JSON. */
  readonly transform?: Transform
  /**
   * Query that computes the documents, instead of `fields` and `relations`. It gets an array of each id column ($1, $2 …)
   * and returns those columns, and with them the fields of the document. Needs `id` and `dependsOn`.
   */
  readonly sql?: string
  /** Table that `sql` reads → its column (or columns) that holds the document's id. A change of a row marks that document. */
  readonly dependsOn?: Readonly<Record<string, string | readonly string[]>>
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

export const scheduledRuns = ['backfill', 'verify', 'optimize', 'reindex'] as const
export type ScheduledRun = (typeof scheduledRuns)[number]

/** A run that is requested by itself, again and again: once over all instances. */
export interface ScheduleDefinition {
  /** Minute, hour, day of the month, month, day of the week: `0 3 * * *`. */
  readonly cron: string
  /** In which `cron` is read: `Europe/Berlin`. Default `UTC`, whatever the host's is. */
  readonly timezone?: string
  /** What to request: `backfill`, `verify`, `optimize` or `reindex`. */
  readonly run: ScheduledRun
  /** Default: every installed document. */
  readonly documents?: readonly string[]
  /** Backfill: only rows whose `column` is at or after this: an interval before the schedule's time, or a timestamp. */
  readonly since?: string
  /** Backfill: date or timestamp that tells when a row changed. */
  readonly column?: string
  /** Backfill: SQL condition over the root row. */
  readonly where?: string
  /** Backfill: only rows of this tenant. */
  readonly tenant?: string
  /** Verify: compare contents, not ids alone. */
  readonly deep?: boolean
  /** Verify: so many documents chosen at random, instead of all. */
  readonly sample?: number
  /** Verify: put right what differs; `extra`: only documents without a row. Default: report it. */
  readonly repair?: boolean | 'extra'
  /** Optimize: the share of deleted documents, 0 to 1, from which an index is worth a merge. Default 0.2. */
  readonly threshold?: number
  /** Reindex: how long the index before is kept for a rollback, such as `24h`. */
  readonly keep?: string
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
  /**
   * Hosts off this machine that may be spoken to without encryption, separated by commas: `db,search`
   * (PLAINTEXT_HOSTS). Default: none.
   */
  readonly plaintextHosts?: string
}

/** The `limits` of the configuration; each is also an environment variable (`batchSize` is BATCH_SIZE). */
export interface Limits {
  /** Keys in a batch. Default 1000. */
  readonly batchSize: number
  /** Bytes of a bulk request. Default 1 MiB. */
  readonly batchBytes: number
  /** Batches in flight; single edits have one more, and a second one while that is stuck (not with 1). Default 2. */
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

/** The `admin` of the configuration: HTTP for operators (docs/http.md); each is also an environment variable. */
export interface Admin {
  /** Address that is listened on. Off this machine a token is needed. Default 127.0.0.1 (ADMIN_HOST). */
  readonly host?: string
  /** 0: any that is free. Default 9187 (ADMIN_PORT). */
  readonly port?: number | 'off'
  /** For changes, and off this machine for reads, too: `Authorization: Bearer …` (ADMIN_TOKEN). Default: none, and no changes. */
  readonly token?: string
  /** Further names that requests may call this host by, separated by commas (ADMIN_HOSTS). */
  readonly hosts?: string
  /** Addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas (ADMIN_TRUSTED_PROXIES). Default: none. */
  readonly trustedProxies?: string
}

/** The `alerts` of the configuration; each is also an environment variable. */
export interface Alerts {
  /** URL that is told of each alert, once when it is raised and once when it is cleared (ALERT_WEBHOOK). It may hold a secret. */
  readonly webhook?: string
  /** From which age of the oldest mark a backlog is an alert, such as `10m`, the default (ALERT_BACKLOG_AFTER). */
  readonly backlogAfter?: string
  /** So many differences may be left by a verify before that is an alert. Default 0 (ALERT_DRIFT). */
  readonly drift?: number
}

/** What a user writes in `sluice.config.ts`. */
export interface SluiceConfig {
  /** Where the servers are, and who we are to them. */
  readonly connection?: Connection
  /** How much at once, how often, and how long. */
  readonly limits?: Partial<Limits>
  /** HTTP for operators. */
  readonly admin?: Admin
  /** Who is told of conditions that last. */
  readonly alerts?: Alerts
  /** Schema that holds sluice's own tables. Default `sluice` (SLUICE_SCHEMA). */
  readonly schema?: string
  /** Name of this daemon among its siblings. Default `<host>-<pid>` (SLUICE_INSTANCE). */
  readonly instance?: string
  /** Default `info` (LOG_LEVEL). */
  readonly logLevel?: LogLevel
  /** Document name → what it is made of. */
  readonly documents: Readonly<Record<string, DocumentDefinition>>
  /** Schedule name → which run, and when. */
  readonly schedules?: Readonly<Record<string, ScheduleDefinition>>
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

export interface AlertSettings {
  /** Null: nobody is told. */
  readonly webhook: string | null
  readonly backlogAfterMs: number
  readonly drift: number
}

/** Configuration, environment and flags, merged and validated: flags beat environment, environment beats config. */
export interface Settings {
  readonly postgres: string
  readonly elasticsearch: ElasticsearchSettings
  readonly schema: string
  readonly instance: string
  readonly logLevel: LogLevel
  readonly limits: Limits
  /** Default: DEFAULT_ALERTS (config/alerts.ts). */
  readonly alerts?: AlertSettings
  /** Document name → definition; its hash is `definitionHash(definition)`. */
  readonly documents: ReadonlyMap<string, DocumentDefinition>
  /** File the configuration came from, for messages. */
  readonly file: string
}

/** Where HTTP for operators is served, and to whom. */
export interface AdminSettings {
  readonly host: string
  /** 0: any that is free; null: it is off. */
  readonly port: number | null
  readonly token: string | null
  /** Names, besides `host` and those of this machine, that requests may call it by; lower case. */
  readonly hosts: readonly string[]
  /** Addresses and networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[]
}

/** Settings without the documents, for commands that need none: nothing has to be there. */
export interface BaseSettings
  extends Pick<Settings, 'schema' | 'instance' | 'logLevel' | 'limits' | 'alerts'> {
  readonly postgres: string | null
  readonly elasticsearch: ElasticsearchSettings | null
  readonly admin: AdminSettings
  /** null where there is no configuration file. */
  readonly file: string | null
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]
