import { randomInt } from 'node:crypto'
import { quoteIdentifier } from '../catalog/quote.ts'
import { isRecord } from '../documents/merge.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { physicalName } from '../elasticsearch/names.ts'
import { readIdentity } from '../postgres/identity.ts'
import type { Queryable } from '../postgres/types.ts'
import { fingerprint } from './names.ts'
import { sameJson } from './same-json.ts'

/** Who made an index: written to the `_meta` of its mappings, so that what was interrupted is known again. */
export interface Maker {
  readonly schema: string
  readonly document: string
  /** System identifier and name of the database. */
  readonly database: string
}

/** A physical index that nothing is known of in the database yet. */
export interface CreatedIndex {
  readonly name: string
  readonly uuid: string
}

/** `database` of a Maker. */
export async function readDatabaseName(db: Queryable): Promise<string> {
  const { systemIdentifier } = await readIdentity(db)
  const { rows } = await db.query<{ name: string }>('SELECT current_database() AS name')
  return `${systemIdentifier}/${rows[0]?.name}`
}

/** Creates a physical index of a document, and the alias with it. Throws ConfigError for what the server refuses. */
export async function createDocumentIndex(
  elasticsearch: Pick<Elasticsearch, 'createIndex'>,
  { mappings, settings }: DocumentPlan,
  alias: string,
  maker: Maker,
): Promise<CreatedIndex> {
  const name = physicalName(alias, new Date(), randomName())
  const meta = isRecord(mappings._meta) ? mappings._meta : {}
  const signed = { ...mappings, _meta: { ...meta, sluice: maker } }
  const { uuid } = await elasticsearch.createIndex({ name, alias, mappings: signed, settings })
  return { name, uuid }
}

/** Whether an index was made by this sluice for this document. */
export async function isOwnIndex(
  elasticsearch: Pick<Elasticsearch, 'getMappings'>,
  index: string,
  maker: Maker,
): Promise<boolean> {
  const { _meta: meta } = await elasticsearch.getMappings(index)
  return isRecord(meta) && sameJson(meta.sluice, maker)
}

/** From now on every batch writes to it. */
export async function registerIndex(
  db: Queryable,
  schema: string,
  { document, mappings, settings }: DocumentPlan,
  alias: string,
  { name, uuid }: CreatedIndex,
): Promise<void> {
  await db.query(
    `INSERT INTO ${quoteIdentifier(schema)}.sync_index (name, document, alias, uuid, role, hash)
     VALUES ($1, $2, $3, $4, 'live', $5)`,
    [name, document, alias, uuid, fingerprint(JSON.stringify([mappings, settings]))],
  )
}

function randomName(): string {
  return Array.from({ length: 6 }, () => randomInt(36).toString(36)).join('')
}
