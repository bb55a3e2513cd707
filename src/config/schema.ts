import { z } from 'zod'
import { limitRanges } from './limits.ts'
import type { Connection, DocumentDefinition, Limits, SluiceConfig } from './types.ts'
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

const brake = object({ deletes: value.share }, 'an object: { deletes: 0.1 }')

export const documentSchema = object(
  {
    table: value.tableName,
    index: value.indexName,
    id: value.distinctTexts('a list of key columns').exactOptional(),
    where: value.text('an SQL condition over the root row, such as "active"').exactOptional(),
    fields: fields.exactOptional(),
    omit: value.distinctTexts('a list of columns').exactOptional(),
    mappings: value.jsonObject.exactOptional(),
    settings: value.jsonObject.exactOptional(),
    brake: brake.exactOptional(),
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

export const configSchema = object(
  {
    connection: connectionSchema.exactOptional(),
    limits: limitsSchema.exactOptional(),
    schema: value.schemaName.exactOptional(),
    instance: value.instanceName.exactOptional(),
    logLevel: value.logLevel.exactOptional(),
    documents: z.record(value.documentName, documentSchema, {
      error: 'an object of document name → document',
    }),
  },
  'an object: { documents: { … } }',
)

/** All but the documents, which may be wrong or missing: for commands that need none. */
export const baseSchema = z.strictObject({ ...configSchema.shape, documents: z.unknown().optional() })

/** An object without unknown keys; `expected` is said where it is no object. */
function object<Shape extends z.core.$ZodLooseShape>(shape: Shape, expected: string) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : expected),
  })
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
true satisfies Agree<z.infer<typeof connectionSchema>, Connection>
true satisfies Agree<z.infer<typeof limitsSchema>, Partial<Limits>>
true satisfies Agree<z.infer<typeof configSchema>, SluiceConfig>
