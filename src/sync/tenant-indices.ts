import type pg from 'pg'
import { createDocumentIndex, readMakers, registerIndex } from '../capture/document-index.ts'
import { quoteIdentifier, quoteLiteral } from '../catalog/quote.ts'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError, FailedError } from '../errors.ts'
import { rollback } from '../postgres/transaction.ts'
import { readTargetsOf } from '../queue/read-targets.ts'
import { requestRewrite } from '../queue/request-rewrite.ts'
import type { BatchTarget } from '../queue/types.ts'
import type { AddressedKey } from './addressed.ts'
import { leftIndex } from './left-index.ts'
import { Obstructed } from './obstacle.ts'
import type { KeyFailure } from './types.ts'

export interface TenantIndicesContext {
  readonly schema: string
  readonly elasticsearch: Pick<
    Elasticsearch,
    | 'createIndex'
    | 'aliasTargets'
    | 'getMappings'
    | 'putMappings'
    | 'indexUuid'
    | 'refresh'
    | 'count'
    | 'deleteIndex'
  >
}

/** What making tenants' indices came to. */
export interface MadeIndices {
  readonly targets: readonly BatchTarget[]
  /** Keys whose index could not be made: they alone fail. */
  readonly failures: readonly KeyFailure[]
}

/**
 * Makes the indices of tenants that have none (the daemon's only change of structure), and registers them.
 *
 * The caller has to load its rows again afterwards. A batch that finds no index for a tenant has nothing to delete there;
 * were a row loaded before its index is registered written after it, the delete that passed by in between would be lost.
 */
export async function makeTenantIndices(
  client: pg.PoolClient,
  context: TenantIndicesContext,
  { plan, hash }: { readonly plan: DocumentPlan; readonly hash: string },
  wanted: ReadonlyMap<string, readonly AddressedKey[]>,
): Promise<MadeIndices> {
  const targets: BatchTarget[] = []
  const failures: KeyFailure[] = []
  for (const [alias, keys] of wanted) {
    const made = await makeOne(client, context, { plan, hash, alias })
    if ('targets' in made) targets.push(...made.targets)
    else {
      const reason = made.refused
      failures.push(...keys.map(({ key, id }) => ({ key, id, type: 'tenant_index', reason })))
    }
  }
  return { targets, failures }
}

/** Keys of the advisory lock under which an index of this alias is made and registered. */
export function tenantIndexLock(schema: string, alias: string): string {
  return `hashtext(${quoteLiteral(`sluice index ${schema}`)}), hashtext(${quoteLiteral(alias)})`
}

interface Wanted {
  readonly plan: DocumentPlan
  readonly hash: string
  readonly alias: string
}

/**
 * One transaction on our own tables, open during the request. The lock lets one daemon make the index and the others find
 * it. The document's row is held so that no `install` changes its mappings meanwhile: an index of the old ones registered
 * after it has extended all others would lack the new fields. A crash before the commit leaves an index that nobody writes
 * to; the next attempt knows it again by its `_meta`.
 */
async function makeOne(
  client: pg.PoolClient,
  { schema, elasticsearch }: TenantIndicesContext,
  { plan, hash, alias }: Wanted,
): Promise<{ readonly targets: readonly BatchTarget[] } | { readonly refused: string }> {
  const s = quoteIdentifier(schema)
  const { document } = plan
  try {
    await client.query(`BEGIN; SELECT pg_advisory_xact_lock(${tenantIndexLock(schema, alias)})`)
    const { rows } = await client.query(
      `SELECT FROM ${s}.sync_document WHERE name = $1 AND hash = $2 AND state = 'active' FOR SHARE`,
      [document, hash],
    )
    if (rows.length === 0) {
      const reason = 'it was paused, detached or installed anew a moment ago'
      throw new Obstructed({ scope: 'document', type: 'not_workable', reason })
    }
    const known = await readTargetsOf(client, schema, document, [alias])
    if (known.length > 0) {
      await client.query('COMMIT')
      return { targets: known }
    }
    const makers = await readMakers(client, schema, document)
    const left = await leftIndex(elasticsearch, plan, alias, makers)
    const index = left ?? (await createDocumentIndex(elasticsearch, plan, alias, makers[0]))
    await registerIndex(client, schema, plan, alias, index)
    if (left?.filled === true) {
      const reason = `index ${left.name} was found with documents in it`
      await requestRewrite(client, schema, { document, reason })
    }
    const targets = await readTargetsOf(client, schema, document, [alias])
    await client.query('COMMIT')
    return { targets }
  } catch (error) {
    await rollback(client)
    // Its mappings or settings, the cluster's limit of shards, a name that is taken: this tenant's, and no reason to stop the others.
    if (!(error instanceof ConfigError || error instanceof FailedError)) throw error
    return { refused: error.message.slice(0, 400) }
  }
}
