import { z } from 'zod'
import { driftRange, limitRanges } from './limits.ts'
import type {
  Admin,
  Alerts,
  Connection,
  DocumentDefinition,
  Limits,
  Relation,
  ScheduleDefinition,
  SluiceConfig,
} from './types.ts'
import * as value from './values.ts'

/**
 * The shape of a configuration. Each message says what was expected (values.ts). The interfaces in types.ts are what
 * people read; the compiler holds them and these schemas together (`Agree` below).
 */

const sqlOrColumn = z.union([value.text('a column, or sql("…")'), value.sqlExpression], {
  error: 'a column, or sql("…")',
})

const fields = z.union(
  [
    value.distinctTexts('a list of columns'),
    z
      .record(value.fieldPath, sqlOrColumn, { error: 'an object of field path → column or sql("…")' })
      .refine((record) => Object.keys(record).length > 0, { error: 'at least one field' })
      .readonly(),
  ],
  { error: 'a list of columns, or an object of field path → column or sql("…")' },
)

export const brakeSchema = object({ deletes: value.share }, 'an object: { deletes: 0.1 }')

const omit = value.distinctTexts('a list of columns')

/** `{ here: there }` */
const columnPairs = z
  .record(value.column, value.column, { error: 'an object of column here → column there' })
  .refine((record) => Object.keys(record).length > 0, { error: 'at least one pair of columns' })
  .readonly()

export const throughSchema = object(
  {
    table: value.relatedTable,
    on: columnPairs.exactOptional(),
    to: columnPairs.exactOptional(),
  },
  'the table in between: { table, on, to }',
)

const orderColumns = z
  .array(value.orderColumn)
  .min(1, { error: 'a list of columns: at least one' })
  .readonly()

const relations: z.ZodType<Readonly<Record<string, Relation>>> = z.lazy(() =>
  z.record(value.relationName, relationSchema, { error: 'an object of field → relation' }).readonly(),
)

export const relationSchema = object(
  {
    one: value.relatedTable.exactOptional(),
    many: value.relatedTable.exactOptional(),
    on: columnPairs.exactOptional(),
    through: throughSchema.exactOptional(),
    fields: fields.exactOptional(),
    omit: omit.exactOptional(),
    where: value.text('an SQL condition over the related row, such as "approved"').exactOptional(),
    orderBy: z
      .union([value.orderColumn, orderColumns], {
        error: 'a column or a list of columns, each perhaps followed by " desc"',
      })
      .exactOptional(),
    limit: value.whole({ unit: 'related rows', min: 1, max: 10_000 }).exactOptional(),
    nested: z.boolean({ error: 'true or false' }).exactOptional(),
    flatten: value.text('a field of the related row').exactOptional(),
    relations: relations.exactOptional(),
  },
  'a relation: { one: "table" } or { many: "table" }, …',
)

const dependsOn = z
  .record(
    value.relatedTable,
    z.union([value.column, value.distinctTexts('a list of columns')], {
      error: "the column that holds the document's id, or a list of columns",
    }),
    { error: "an object of table → column that holds the document's id" },
  )
  .refine((record) => Object.keys(record).length > 0, { error: 'at least one table' })
  .readonly()

export const documentSchema = object(
  {
    table: value.rootTable,
    index: value.indexName,
    id: value.distinctTexts('a list of key columns').exactOptional(),
    where: value.text('an SQL condition over the root row, such as "active"').exactOptional(),
    fields: fields.exactOptional(),
    omit: omit.exactOptional(),
    relations: relations.exactOptional(),
    tenant: value.column.exactOptional(),
    routing: value.column.exactOptional(),
    pipeline: value.text('the name of an ingest pipeline').exactOptional(),
    transform: value.transform.exactOptional(),
    sql: value.text('a query with $1 where the ids go').exactOptional(),
    dependsOn: dependsOn.exactOptional(),
    mappings: value.jsonObject.exactOptional(),
    settings: value.jsonObject.exactOptional(),
    brake: brakeSchema.exactOptional(),
  },
  'a document: { table, index, … }',
)

export const connectionSchema = object(
  {
    postgres: value.postgresUrl.exactOptional(),
    elasticsearch: value.elasticsearchUrl.exactOptional(),
    elasticsearchApiKey: value.text('an encoded API key').exactOptional(),
    elasticsearchUsername: value.text('a user name').exactOptional(),
    elasticsearchPassword: value.text('a password').exactOptional(),
    elasticsearchCaFile: value.text('the path of a PEM file').exactOptional(),
    plaintextHosts: value.plaintextHosts.exactOptional(),
  },
  'an object: { postgres, elasticsearch, … }',
)

export const limitsSchema = object(
  {
    batchSize: value.whole(limitRanges.batchSize).exactOptional(),
    batchBytes: value.whole(limitRanges.batchBytes).exactOptional(),
    concurrency: value.whole(limitRanges.concurrency).exactOptional(),
    pollingInterval: value.whole(limitRanges.pollingInterval).exactOptional(),
    maxRetries: value.whole(limitRanges.maxRetries).exactOptional(),
    requestTimeout: value.whole(limitRanges.requestTimeout).exactOptional(),
    shutdownTimeout: value.whole(limitRanges.shutdownTimeout).exactOptional(),
    syncLogRetentionDays: value.whole(limitRanges.syncLogRetentionDays).exactOptional(),
  },
  'an object: { batchSize, … }',
)

export const adminSchema = object(
  {
    host: value.adminHost.exactOptional(),
    port: value.adminPort.exactOptional(),
    token: value.adminToken.exactOptional(),
    hosts: value.adminHosts.exactOptional(),
    trustedProxies: value.adminTrustedProxies.exactOptional(),
  },
  'an object: { host, port, token, hosts, trustedProxies }',
)

export const alertsSchema = object(
  {
    webhook: value.webhookUrl.exactOptional(),
    backlogAfter: value.lapse.exactOptional(),
    drift: value.whole(driftRange).exactOptional(),
  },
  'an object: { webhook, … }',
)

export const scheduleSchema = object(
  {
    cron: value.cron,
    timezone: value.timezone.exactOptional(),
    run: value.scheduledRun,
    documents: value.distinctTexts('a list of documents').exactOptional(),
    since: value.text('an interval such as "2 hours", or a timestamp').exactOptional(),
    column: value.column.exactOptional(),
    where: value.text('an SQL condition over the root row, such as "active"').exactOptional(),
    tenant: value.text('the value of a tenant').exactOptional(),
    deep: z.boolean({ error: 'true or false' }).exactOptional(),
    sample: value.whole({ unit: 'documents', min: 1, max: 1_000_000_000 }).exactOptional(),
    repair: z.literal([true, false, 'extra'], { error: 'true, false or "extra"' }).exactOptional(),
    threshold: value.share.exactOptional(),
    keep: value.keep.exactOptional(),
  },
  'a schedule: { cron, run, … }',
)

export const configSchema = object(
  {
    connection: connectionSchema.exactOptional(),
    limits: limitsSchema.exactOptional(),
    admin: adminSchema.exactOptional(),
    alerts: alertsSchema.exactOptional(),
    schema: value.schemaName.exactOptional(),
    instance: value.instanceName.exactOptional(),
    logLevel: value.logLevel.exactOptional(),
    documents: z.record(value.documentName, documentSchema, {
      error: 'an object of document name → document',
    }),
    schedules: z
      .record(value.scheduleName, scheduleSchema, { error: 'an object of schedule name → schedule' })
      .exactOptional(),
  },
  'an object: { documents: { … } }',
)

/** All but documents and schedules, which may be wrong or missing: for commands that need none. */
export const baseSchema = z.strictObject({
  ...configSchema.shape,
  documents: z.unknown().optional(),
  schedules: z.unknown().optional(),
})

/** An object without unknown keys (issues.ts words those); `expected` is said where it is no object. */
function object<Shape extends z.core.$ZodLooseShape>(shape: Shape, expected: string) {
  return z.strictObject(shape, { error: expected })
}

/** True when each is assignable to the other, so that neither has a key or a type that the other lacks. */
type Agree<Schema, Interface> = [Readonly<Schema>] extends [Interface]
  ? [Interface] extends [Readonly<Schema>]
    ? keyof Schema extends keyof Interface
      ? keyof Interface extends keyof Schema
        ? true
        : never
      : never
    : never
  : never

true satisfies Agree<z.infer<typeof documentSchema>, DocumentDefinition>
true satisfies Agree<z.infer<typeof relationSchema>, Relation>
true satisfies Agree<z.infer<typeof scheduleSchema>, ScheduleDefinition>
true satisfies Agree<z.infer<typeof connectionSchema>, Connection>
true satisfies Agree<z.infer<typeof alertsSchema>, Alerts>
true satisfies Agree<z.infer<typeof limitsSchema>, Partial<Limits>>
true satisfies Agree<z.infer<typeof adminSchema>, Admin>
true satisfies Agree<z.infer<typeof configSchema>, SluiceConfig>
