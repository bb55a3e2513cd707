import { randomInt } from 'node:crypto'
import { quoteIdentifier } from '../catalog/quote.ts'
import { canonicalJson } from '../documents/hash.ts'
import { isRecord } from '../documents/merge.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { physicalName } from '../elasticsearch/names.ts'
import { readDatabaseName, readFormerNames } from '../postgres/identity.ts'
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

/** Who may have made an index of ours: this database first, then what it was before it was restored elsewhere, or renamed. */
export type Makers = readonly [Maker, ...Maker[]]

export async function readMakers(db: Queryable, schema: string, document: string): Promise<Makers> {
  const former = await readFormerNames(db, schema)
  return makersOf({ schema, document, database: await readDatabaseName(db) }, former)
}

export function makersOf(maker: Maker, formerNames: readonly string[]): Makers {
  return [maker, ...formerNames.map((database) => ({ ...maker, database }))]
}

/** Creates a physical index of a document, and the alias with it. Throws ConfigError for what the server refuses. */
export async function createDocumentIndex(
  elasticsearch: Pick<Elasticsearch, 'createIndex'>,
  plan: DocumentPlan,
  alias: string,
  maker: Maker,
): Promise<CreatedIndex> {
  const name = newIndexName(alias)
  const { settings } = plan
  const { uuid } = await elasticsearch.createIndex({
    name,
    alias,
    mappings: signedMappings(plan, maker),
    settings,
  })
  return { name, uuid }
}

/** A name that no index ever had (invariant 13). */
export function newIndexName(alias: string): string {
  return physicalName(alias, new Date(), randomName())
}

export function signedMappings({ mappings }: Pick<DocumentPlan, 'mappings'>, maker: Maker) {
  const meta = isRecord(mappings._meta) ? mappings._meta : {}
  return { ...mappings, _meta: { ...meta, sluice: maker } }
}

/** Sixteen hexadecimal digits that tell which mappings and settings an index has; the order of keys does not count. */
export function indexHash({ mappings, settings }: Pick<DocumentPlan, 'mappings' | 'settings'>): string {
  return fingerprint(canonicalJson([mappings, settings]))
}

/** Whether an index was made by this sluice for this document. */
export async function isOwnIndex(
  elasticsearch: Pick<Elasticsearch, 'getMappings'>,
  index: string,
  makers: Makers,
): Promise<boolean> {
  const { _meta: meta } = await elasticsearch.getMappings(index)
  return isRecord(meta) && makers.some((maker) => sameJson(meta.sluice, maker))
}

/** From now on every batch writes to it. */
export async function registerIndex(
  db: Queryable,
  schema: string,
  plan: DocumentPlan,
  alias: string,
  { name, uuid, hash = indexHash(plan) }: CreatedIndex & { readonly hash?: string },
  role: 'live' | 'building' = 'live',
): Promise<void> {
  await db.query(
    `INSERT INTO ${quoteIdentifier(schema)}.sync_index (name, document, alias, uuid, role, hash)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [name, plan.document, alias, uuid, role, hash],
  )
}

function randomName(): string {
  return Array.from({ length: 6 }, () => randomInt(36).toString(36)).join('')
}
