import { templatePattern } from '../elasticsearch/names.ts'
import { clearAliasAlarm } from '../queue/clear-alias-alarm.ts'
import { readTargets } from '../queue/read-targets.ts'
import { setAlarm } from '../queue/set-alarm.ts'
import type { IdentityCheck } from './index-identity.ts'

/**
 * An alias that was moved by hand: sluice writes on to its own index, where nobody searches. Nothing is wrong with the
 * index, so nothing is stopped; an alarm says what to do, and goes when it is done.
 */
export async function checkAlias(check: IdentityCheck, document: string, names: string): Promise<void> {
  // Twice: an alias that a reindex swaps between the two looks is none that was moved by hand.
  const lost = (await lostAlias(check, document, names)) && (await lostAlias(check, document, names))
  const { pool, schema, log } = check
  if (lost === null) {
    await clearAliasAlarm(pool, schema, document)
    return
  }
  const { index, alias } = lost
  const body = JSON.stringify({ actions: [{ add: { index, alias } }] })
  const alarm = `alias ${alias} does not point to ${index}, which sluice writes to: searches do not see what changes. Put it back (and take it from where it points to now): POST /_aliases ${body}`
  if (await setAlarm(pool, schema, document, alarm)) log.error({ document, reason: alarm }, 'alarm')
}

/** The first live index that its alias does not point to; null: there is none. */
async function lostAlias(
  { pool, schema, elasticsearch }: IdentityCheck,
  document: string,
  names: string,
): Promise<{ readonly index: string; readonly alias: string } | null> {
  const targets = await readTargets(pool, schema, document)
  const aliases = await elasticsearch.indexAliases(templatePattern(names))
  const lost = targets.find(({ index, alias, role }) => {
    const known = aliases.get(index)
    // Missing indices are left to the bulk answers.
    return role === 'live' && known !== undefined && !known.includes(alias)
  })
  return lost ?? null
}
