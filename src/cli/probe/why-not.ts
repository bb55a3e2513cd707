import { readStatus } from '../../answers/read-status.ts'
import type { Database } from '../context.ts'
import { estimate } from '../format.ts'
import { failureText } from '../inspection.ts'
import { readFailures, readMarks } from '../read-marks.ts'

/** What keeps a document's marks, by what `status` knows. `unclaimed`: a mark was sent, and nobody has taken it. */
export async function obstacles(
  database: Database,
  document: string,
  { unclaimed = false }: { readonly unclaimed?: boolean } = {},
): Promise<string[]> {
  const status = await readStatus(database, null)
  const found = status.documents.find(({ name }) => name === document)
  if (found === undefined) return [`${document} is not installed any more`]
  const living = status.workers.filter(({ alive }) => alive)
  const pauses = living.flatMap((worker) => worker.pauses).filter((pause) => pause.document === document)
  const waiting = living.filter(({ reason }) => reason !== null)
  return [
    ...(unclaimed && found.pendingKeys > 1
      ? [`${estimate(found.pendingKeys, found.keysAreExact)} keys of ${document} wait`]
      : []),
    ...(found.state === 'active'
      ? []
      : [`${document} is ${found.state}: ${found.reason ?? 'no reason was given'}`]),
    ...(found.attended ? [] : [unattended(document, living.length)]),
    ...waiting.map(({ instance, reason }) => `daemon ${instance} waits: ${reason}`),
    ...new Set(
      pauses.map(({ index, reason }) => `sending ${index ?? `all of ${document}`} is paused: ${reason}`),
    ),
    ...(found.alarm === null ? [] : [`${document} has an alarm: ${found.alarm}`]),
  ]
}

function unattended(document: string, living: number): string {
  return living === 0
    ? `no daemon is alive: sluice run`
    : `no daemon works on ${document}: those that are alive have another definition of it, or none (sluice status)`
}

/** What keeps one of its keys: its failures, and where it is parked. */
export async function keyObstacles(
  { pool, schema }: Database,
  document: string,
  key: string,
): Promise<string[]> {
  const failures = await readFailures(pool, schema, document, key)
  const marks = await readMarks(pool, schema, document, key)
  const parked = marks.filter(({ lane }) => lane === 2)
  return [
    ...failures.map(failureText),
    ...new Set(parked.map(({ target }) => `its key is parked, and waits for ${target ?? 'sluice resume'}`)),
  ]
}
