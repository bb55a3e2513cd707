import { escapeIdentifier } from 'pg'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import type { Database } from '../postgres/types.ts'

/** Names go into the path of a request, of which Elasticsearch takes 4,096 bytes; each has up to 255. */
const AT_ONCE = 10

/** Makes searchable what the live indices of a document, or of all, have taken. Needs SELECT on sync_index. */
export async function refreshLive(
  { pool, schema }: Database,
  connect: () => Promise<Pick<Elasticsearch, 'refresh'>>,
  document: string | null,
): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT name FROM ${escapeIdentifier(schema)}.sync_index
      WHERE role = 'live' AND ($1::text IS NULL OR document = $1) ORDER BY name`,
    [document],
  )
  const names = rows.map(({ name }) => name)
  const elasticsearch = await connect()
  for (let start = 0; start < names.length; start += AT_ONCE) {
    await elasticsearch.refresh(names.slice(start, start + AT_ONCE).join(','))
  }
}
