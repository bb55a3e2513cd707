import { catalogSettings, gapTexts, readCaptured } from '../../capture/capture-gaps.ts'
import { inTransaction } from '../../postgres/transaction.ts'
import type { Database } from '../context.ts'
import type { Probe } from './probe.ts'

/**
 * Whether a document's triggers are there and enabled, by pg_trigger: as a daemon looks at them for its alarm. `tried`: the
 * probe's mark was theirs to write. Null: it is detached, and has none.
 */
export async function readTriggers(
  { pool, schema }: Database,
  document: string,
  tried: boolean,
): Promise<Probe['triggers']> {
  const captured = await inTransaction(pool, (client) => readCaptured(client, schema), {
    settings: catalogSettings,
  })
  const found = captured.find(({ name }) => name === document)
  if (found === undefined) return null
  // One that went is no table of the document any more; where a subscription writes, enabled is not enough.
  const enabled = !found.gaps.some(({ kind }) => kind === 'off' || kind === 'came')
  return { tried, enabled, gaps: gapTexts(found.gaps) }
}
