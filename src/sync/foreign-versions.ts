import type pg from 'pg'
import type { Logger } from 'pino'
import { isTenantPattern } from '../config/tenant-index.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import { currentVersion, raiseVersionFloor } from '../postgres/version.ts'
import { noteForeignVersion, readSkippedVersions } from '../queue/foreign-versions.ts'
import { readTargets } from '../queue/read-targets.ts'
import { verifyOnce } from './verify-once.ts'

interface VersionCheck {
  readonly pool: pg.Pool
  readonly schema: string
  readonly elasticsearch: Pick<Elasticsearch, 'highestVersions'>
  readonly log: Logger
}

/** As it was found, where it was found, and what to think of it. */
export const foreignVersionReason = (version: bigint): string =>
  `Elasticsearch holds version ${version}, which this database has never drawn: it was set back to an older state, or another database writes to the index`

/**
 * Looks for documents with a version that this database has never drawn: above its sequence, or among the numbers that
 * the sequence skipped when it was moved up to the clock. There are two ways to get one:
 * - This database was set back: an older copy of the data directory was started, a disk snapshot restored. It has the
 *   same system identifier and the same timeline, so nothing else tells. What it had committed since is in the index and
 *   nowhere else, and no mark will come.
 * - Another database writes to the index: the old primary after a failover, with its daemon.
 *
 * Either way a verify is requested, which puts every row's document right and finds documents without a row. The
 * sequence is moved past what was found, so that what the other one writes later is found as well: it has to be above
 * our documents to win, and below our next numbers it is among the skipped ones. Each version is reported once: a
 * document that stays as it is (a dead letter, a delete that the brake holds back) asks for no second verify.
 *
 * Not seen: a database that was set back by a crash's recovery of a copy may count the next 32 numbers as drawn (Postgres
 * logs a sequence ahead), and a delete leaves no document to look at.
 */
export async function checkVersions(
  { pool, schema, elasticsearch, log }: VersionCheck,
  document: string,
  index: string,
): Promise<void> {
  const skipped = await readSkippedVersions(pool, schema, document)
  const targets = await readTargets(pool, schema, document)
  if (targets.length === 0) return
  const names = isTenantPattern(index)
    ? templatePattern(index)
    : targets.map((target) => target.index).join(',')
  const { highest, within } = await elasticsearch.highestVersions(names, skipped)
  // Read after the answer: whoever wrote the highest had drawn it before.
  const above = highest !== null && highest > (await currentVersion(pool, schema)) ? highest : null
  const foreign = above ?? within
  if (foreign === null) return
  if (above !== null) await raiseVersionFloor(pool, schema, above + 1n)
  const reason = foreignVersionReason(foreign)
  await verifyOnce({ pool, schema, log }, { document, reason }, (client) =>
    noteForeignVersion(client, schema, document, foreign),
  )
}
