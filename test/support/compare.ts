import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'

export interface Comparison {
  /** Rows that should have a document. */
  readonly documents: number
  /** Rows without a document. */
  readonly missing: number
  /** Documents that differ from their row. */
  readonly stale: number
  /** Documents without a row. */
  readonly extra: number
  /** A few ids of each kind, for the report. */
  readonly examples: readonly string[]
}

export interface CompareOptions {
  readonly pool: pg.Pool
  /** Elasticsearch's base URL. */
  readonly elasticsearch: string
  /** Index, alias, or a pattern of several. */
  readonly index: string
  /**
   * The truth, in SQL that owes sluice nothing: `id` (text) and `document` (json), one row for each document
   * that should exist. With `index` and `routing` it says where that one is.
   */
  readonly truth: string
}

interface Row {
  readonly id: string
  readonly document: unknown
  readonly index?: string
  readonly routing?: string | null
}

const PAGE = 2_000
const EXAMPLES = 10

/**
 * Compares an index with the tables, row by row and content by content. It shares no code with what it judges:
 * the truth is a hand-written query, Elasticsearch is asked with plain requests.
 */
export async function compare({ pool, elasticsearch, index, truth }: CompareOptions): Promise<Comparison> {
  const request = async (path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(new URL(path, elasticsearch), {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  await request(`/${index}/_refresh`)

  const counts = { documents: 0, missing: 0, stale: 0 }
  const examples: string[] = []
  const example = (text: string) => {
    if (examples.length < EXAMPLES) examples.push(text)
  }
  const client = await pool.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query("SET LOCAL timezone = 'UTC'")
    await client.query(`DECLARE truth NO SCROLL CURSOR FOR ${truth}`)
    for (;;) {
      const { rows } = await client.query<Row>(`FETCH ${PAGE} FROM truth`)
      if (rows.length === 0) break
      const docs = rows.map(({ id, index: at = index, routing }) => ({
        _index: at,
        _id: id,
        ...(typeof routing === 'string' ? { routing } : {}),
      }))
      const stored = (await request('/_mget', { docs })) as {
        docs: readonly { found?: boolean; _source?: unknown }[]
      }
      rows.forEach(({ id, document }, n) => {
        const found = stored.docs[n]
        counts.documents += 1
        if (found?.found !== true) {
          counts.missing += 1
          example(`missing ${id}`)
        } else if (!isDeepStrictEqual(found._source, document)) {
          counts.stale += 1
          example(`stale ${id}: indexed ${JSON.stringify(found._source)}, row ${JSON.stringify(document)}`)
        }
      })
    }
    await client.query('COMMIT')
  } finally {
    client.release(true)
  }
  const { count } = (await request(`/${index}/_count`)) as { count: number }
  const extra = count - (counts.documents - counts.missing)
  return { ...counts, extra, examples }
}
