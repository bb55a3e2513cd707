import { templatePattern } from '../elasticsearch/names.ts'
import { clearAliasAlarm } from '../queue/clear-alias-alarm.ts'
import { readTargets } from '../queue/read-targets.ts'
import { setAlarm } from '../queue/set-alarm.ts'
import type { IdentityCheck } from './index-identity.ts'
import { takeInUnknown } from './unknown-indices.ts'

/**
 * An alias that does not point to what sluice writes to. Where it is an index of ours that a restored database does not
 * know, it is taken in. Otherwise it was moved by hand: sluice writes on to its own index, where nobody searches. Nothing is
 * wrong with that index, so nothing is stopped; an alarm says what to do, and goes when it is done.
 */
export async function checkAlias(check: IdentityCheck, document: string, names: string): Promise<void> {
  const { pool, schema, elasticsearch, log } = check
  const aliases = await elasticsearch.indexAliases(templatePattern(names))
  const misfit = await takeInUnknown(check, document, names, aliases)
  // Twice: an alias that a reindex swaps between the two looks is none that was moved by hand.
  const moved =
    misfit ?? ((await movedAlias(check, document, names)) && (await movedAlias(check, document, names)))
  if (moved === null) {
    await clearAliasAlarm(pool, schema, document)
    return
  }
  if (await setAlarm(pool, schema, document, moved)) log.error({ document, reason: moved }, 'alarm')
}

/** What to say of the first live index that its alias does not point to; null: there is none. */
async function movedAlias(
  { pool, schema, elasticsearch }: IdentityCheck,
  document: string,
  names: string,
): Promise<string | null> {
  const targets = await readTargets(pool, schema, document)
  const aliases = await elasticsearch.indexAliases(templatePattern(names))
  const lost = targets.find(({ index, alias, role }) => {
    const known = aliases.get(index)
    // Missing indices are left to the bulk answers.
    return role === 'live' && known !== undefined && !known.includes(alias)
  })
  if (lost === undefined) return null
  const { index, alias } = lost
  const kept = targets.find((target) => target.role === 'kept' && aliases.get(target.index)?.includes(alias))
  const move = JSON.stringify({
    actions: [...(kept ? [{ remove: { index: kept.index, alias } }] : []), { add: { index, alias } }],
  })
  // Both are written to all along; which one is meant nobody but the operator knows.
  const remedy =
    kept === undefined
      ? `searches do not see what changes. Put it back (and take it from where it points to now): POST /_aliases ${move}`
      : `but to ${kept.index}, which is kept and written to as well. If that is to be searched: sluice reindex ${document} --rollback. If not, put it back: POST /_aliases ${move}`
  return `alias ${alias} does not point to ${index}, which sluice writes to: ${remedy}`
}
