import type pg from 'pg'
import type { DocumentKey } from '../documents/types.ts'
import { bytes, copyRows, count, text } from '../postgres/copy-rows.ts'
import { copySettings, copyText } from '../postgres/copy-text.ts'
import { type Read, readOnly } from '../postgres/read-transaction.ts'
import type { LoadPlan, LoadRow, RowReader } from './batch-store.ts'

/** Reads the application's rows in short transactions, so that no lock on its tables outlives a query (invariant 9). */
export function rowReader(client: pg.PoolClient): RowReader {
  return {
    readRows: async (plan, keys, timeoutMs) => {
      const read = plan.query === undefined ? copied : queried
      const { result, server } = await read(client, plan, keyArrays(plan, keys), timeoutMs)
      return { rows: result, server }
    },
  }
}

type KeyArrays = readonly (readonly (string | null)[])[]

/** One array for each part of the id. */
function keyArrays({ idParts }: LoadPlan, keys: readonly DocumentKey[]): KeyArrays {
  return Array.from({ length: idParts }, (_, n) => keys.map(({ parts }) => parts[n] ?? null))
}

/** By COPY: documents are bytes all the way, from Postgres to the request. */
function copied(
  client: pg.PoolClient,
  { loadSql }: LoadPlan,
  arrays: KeyArrays,
  timeoutMs: number,
): Promise<Read<readonly LoadRow[]>> {
  const options = { timeoutMs, ridesIndexes: true, settings: copySettings(arrays) }
  return readOnly(client, options, () =>
    copyRows<LoadRow>(client, copyText(loadSql), [count, text, bytes, text]),
  )
}

/**
 * A user's own query is planned for the keys themselves, which a condition on them may need: read from a setting, an
 * array in a filter would be parsed again for each row. And it may be better off reading a table whole.
 */
async function queried(
  client: pg.PoolClient,
  { loadSql }: LoadPlan,
  arrays: KeyArrays,
  timeoutMs: number,
): Promise<Read<readonly LoadRow[]>> {
  const { result, server } = await readOnly(client, { timeoutMs, ridesIndexes: false }, () =>
    client.query<[position: string, key: string, document: string, problem: string | null]>({
      text: loadSql,
      values: [...arrays],
      rowMode: 'array',
    }),
  )
  return {
    result: result.rows.map(([position, key, document, problem]) => [
      Number(position),
      key,
      Buffer.from(document),
      problem,
    ]),
    server,
  }
}
