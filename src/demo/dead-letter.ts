import { FailedError } from '../errors.ts'
import { retryFailed } from '../queue/change-failures.ts'
import { keysOfFailures } from '../queue/choose-failures.ts'
import { DOCUMENT } from './books.ts'
import { SYNC, TABLES } from './place.ts'
import type { Audience } from './stage.ts'
import { type Played, searchable, synced } from './waiting.ts'

/** A document that Elasticsearch does not take, and how it is mended: the row was right, and the index too strict. */

export interface DeadLetterReport {
  /** Its `_id`. */
  readonly id: string
  readonly sql: string
  /** As Elasticsearch says it, without the document's values. */
  readonly type: string
  readonly reason: string
  /** How many documents the retry marked again. */
  readonly retried: number
}

const ID = 42

/** The longest term that Lucene takes has 32,766 bytes. */
const LONG = `repeat('A tagline that goes on and on. ', 1200)`

const MENDED = { properties: { tagline: { type: 'keyword', ignore_above: 8000 } } }

/** Throws a FailedError where it does not die, or does not rise. */
export async function playDeadLetter(played: Played, audience: Audience): Promise<DeadLetterReport> {
  const { pool, elasticsearch, index } = played
  const sql = `UPDATE ${TABLES}.book SET tagline = ${LONG} WHERE id = ${ID}`
  audience.show(sql)
  await pool.query(sql)
  const dead = (await synced(played)).find(({ id }) => id === String(ID))
  if (dead === undefined) {
    throw new FailedError(`book ${ID} was to be refused by Elasticsearch, and was not`, {
      remedy: 'This server takes longer terms than Lucene does: please tell us which it is.',
    })
  }
  const { type, reason } = dead
  audience.say(`It is refused, and set aside as a dead letter; all else goes on. ${type}: ${reason}`)
  audience.show(`sluice failed list ${DOCUMENT} --schema ${SYNC}`)

  audience.say(
    'The row is right and the index too strict, so the index is mended, and the document tried again.',
  )
  audience.show(
    `curl -X PUT "$ELASTICSEARCH_URL/${index}/_mapping" -H 'content-type: application/json' -d '${JSON.stringify(MENDED)}'`,
  )
  await elasticsearch.putMappings(index, MENDED)
  audience.show(`sluice failed retry ${DOCUMENT} --id ${ID} --schema ${SYNC}`)
  const keys = await keysOfFailures(pool, SYNC, DOCUMENT, [String(ID)])
  const retried = await retryFailed(pool, SYNC, { document: DOCUMENT, keys, type: null })
  const still = await synced(played)
  await elasticsearch.refresh(index)
  const { source } = await searchable(played, ID)
  const { tagline = '' } = (source ?? {}) as { readonly tagline?: string }
  if (still.length > 0 || !tagline.startsWith('A tagline that goes on')) {
    throw new FailedError(`book ${ID} was tried again, and is not in the index as it should be`)
  }
  audience.say('It is in the index.')
  return { id: String(ID), sql, type, reason, retried }
}
