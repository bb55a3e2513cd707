import { z } from 'zod'
import { failedListJson } from '../answers/json/failed.ts'
import { statusJson } from '../answers/json/status.ts'
import { readStatus } from '../answers/read-status.ts'
import { readFailureGroups } from '../queue/read-failures.ts'
import { readLog } from '../queue/read-log.ts'
import { healthJson, logJson } from './json.ts'
import { readHealth, reasonOf } from './read-health.ts'
import type { Admin } from './types.ts'
import { within } from './within.ts'

/** Entries of the log that a look at the dashboard gets: more than a screen, and all of two seconds of a few documents. */
const LOG_ENTRIES = 50

/** Somebody looks: better that it says who is silent. */
const DEADLINE_MS = 3_000

/** What the pages of /api say, at one moment, each part as its page has it. */
export const snapshotJson = z.strictObject({
  at: z.string(),
  health: healthJson,
  /** Null where Postgres did not answer: `problem` says why. */
  known: z
    .strictObject({
      status: statusJson,
      failures: failedListJson.shape.groups,
      log: logJson.shape.entries,
    })
    .nullable(),
  problem: z.string().nullable(),
})

export type Snapshot = z.infer<typeof snapshotJson>
type Known = NonNullable<Snapshot['known']>

/** Reads one after the other; a look that Postgres has not answered yet is waited for again, and not asked a second time. */
export function snapshotReader(admin: Admin): () => Promise<Snapshot> {
  let asked: Promise<Known> | null = null
  return async () => {
    asked ??= readKnown(admin).finally(() => {
      asked = null
    })
    const [health, known] = await Promise.all([
      readHealth(admin),
      within(DEADLINE_MS, 'Postgres', asked).catch((error: unknown) => reasonOf(error, admin)),
    ])
    const at = new Date().toISOString()
    return snapshotJson.parse(
      typeof known === 'string'
        ? { at, health, known: null, problem: known }
        : { at, health, known, problem: null },
    )
  }
}

async function readKnown(admin: Admin): Promise<Known> {
  const { pool, schema, configured } = admin
  const [status, failures, log] = await Promise.all([
    readStatus(admin, configured),
    readFailureGroups(pool, schema, {}),
    readLog(pool, schema, {}, LOG_ENTRIES),
  ])
  return { status, failures: [...failures], log: [...log] }
}
