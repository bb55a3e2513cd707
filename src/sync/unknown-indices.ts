import { escapeIdentifier, type PoolClient } from 'pg'
import { readMakers, registerIndex, signedMappings } from '../capture/document-index.ts'
import { tryInstallLock } from '../capture/install-lock.ts'
import { fitOf, unknownAliases, unknownIndexOf } from '../capture/unknown-index.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { ConfigError } from '../errors.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { type KnownIndex, readKnownIndices, replaceLive } from '../queue/known-indices.ts'
import { requestRewrite } from '../queue/request-rewrite.ts'
import type { IdentityCheck } from './index-identity.ts'
import { tenantIndexLock } from './tenant-indices.ts'

/**
 * A database that was set back does not know what was made since: the alias points to the index of a reindex that here
 * never was, and what sluice writes to is kept, or dropped since; or a tenant has an index and none is registered, so that
 * nobody looks for documents in it whose rows are gone. Such an index is taken in: registered as what the alias points to, as
 * a swap would have done it, and a verify is requested that writes every row and deletes what has none. The alias is left
 * alone, so searches never lose their index.
 *
 * It is ours when its signature says so, by this database's name or one it had before (`sync_identity.known_as`). One that
 * is being made at this moment is registered under the locks that are taken here, and then is not unknown any more.
 *
 * Returns why one cannot be taken in, for an alarm; null: there is none such.
 *
 * @param aliases of all physical indices of the document, by index
 */
export async function takeInUnknown(
  check: IdentityCheck,
  document: string,
  names: string,
  aliases: ReadonlyMap<string, readonly string[]>,
): Promise<string | null> {
  const { pool, schema, log } = check
  let alarm: string | null = null
  const unknown = unknownAliases(names, aliases, await readKnownIndices(pool, schema, document))
  for (const { alias } of unknown) {
    const taken = await inTransaction(pool, (client) => takeIn(client, check, document, alias))
    if (taken === null) continue
    if ('alarm' in taken) alarm ??= taken.alarm
    else log.error({ document, ...taken }, 'a verify is requested')
  }
  return alarm
}

/** Null where nothing is to be done (any more), or an install is under way. */
async function takeIn(
  client: PoolClient,
  { schema, elasticsearch }: IdentityCheck,
  document: string,
  alias: string,
): Promise<{ readonly index: string; readonly reason: string } | { readonly alarm: string } | null> {
  if (!(await tryInstallLock(client, schema))) return null
  await client.query(`SELECT pg_advisory_xact_lock(${tenantIndexLock(schema, alias)})`)
  // Held, so that nothing installs another plan meanwhile.
  const { rows } = await client.query<{ plan: DocumentPlan }>(
    `SELECT plan FROM ${escapeIdentifier(schema)}.sync_document WHERE name = $1 AND state = 'active' FOR SHARE`,
    [document],
  )
  const plan = rows[0]?.plan
  if (plan === undefined) return null
  const known = await readKnownIndices(client, schema, document)
  const makers = await readMakers(client, schema, document)
  const index = await unknownIndexOf(elasticsearch, alias, known, makers)
  if (index === null) return null

  const fit = await fitOf(elasticsearch, index, plan)
  if ('misfit' in fit) return { alarm: misfitAlarm(document, alias, index, known, fit.misfit) }
  try {
    if (fit.missing !== null)
      await elasticsearch.putMappings(
        index,
        signedMappings({ mappings: { ...fit.missing, _meta: plan.mappings._meta } }, makers[0]),
      )
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { alarm: misfitAlarm(document, alias, index, known, error.message) }
  }
  const uuid = await elasticsearch.indexUuid(index)
  if (uuid === null) return null
  const replaced = known.filter((each) => each.alias === alias && each.role === 'live')
  const present: string[] = []
  for (const { name } of replaced) if ((await elasticsearch.indexUuid(name)) !== null) present.push(name)

  await replaceLive(client, schema, { document, alias, index, present })
  await registerIndex(client, schema, plan, alias, { name: index, uuid, hash: fit.hash })
  const reason = `the alias ${alias} points to ${index}, which sluice made for it and this database did not know: it was set back to before that. It is written to from now on${replacedText(replaced, present)}`
  await requestRewrite(client, schema, { document, reason })
  return { index, reason }
}

function replacedText(replaced: readonly KnownIndex[], present: readonly string[]): string {
  return replaced
    .map(({ name }) => (present.includes(name) ? `; ${name} is kept for a day` : `; ${name} is gone`))
    .join('')
}

/** Begins as every alarm about an alias does (queue/clear-alias-alarm.ts). */
function misfitAlarm(
  document: string,
  alias: string,
  index: string,
  known: readonly KnownIndex[],
  why: string,
): string {
  const live = known.find((each) => each.alias === alias && each.role === 'live')
  const expected = live === undefined ? 'an index that this database knows' : live.name
  const remedy = `sluice reindex ${document} builds an index from the rows and moves the alias to it`
  return `alias ${alias} does not point to ${expected}, but to ${index}, which sluice made for it and this database does not know: it was set back to before that. It is not written to, for it does not fit: ${why}. ${remedy}`
}
