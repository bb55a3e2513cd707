import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { createWriter, seeded } from './prose.ts'

/** The table most cells work on: flat, some fifteen columns' worth of types, 800 bytes of JSON a row. */

/** `note` stays out of the document, so that an UPDATE is compared; `seq` says which change a document shows. */
export function articleTable(table: string): string {
  return `CREATE TABLE ${table} (
    id           bigint        PRIMARY KEY,
    seq          bigint,
    title        text          NOT NULL,
    city         text          NOT NULL,
    region       text          NOT NULL,
    country      text          NOT NULL,
    price        numeric(10,2) NOT NULL,
    stock        integer       NOT NULL,
    rating       real          NOT NULL,
    active       boolean       NOT NULL,
    published_at timestamptz   NOT NULL,
    body         text          NOT NULL,
    note         text)`
}

const columns =
  'id, seq, title, city, region, country, price, stock, rating, active, published_at, body, note'

export const article: DocumentDefinition = { table: 'article', index: 'bench-article', omit: ['note'] }

export interface RowsOptions {
  readonly table?: string
  readonly first?: number
  readonly count: number
  /** Average bytes of the document; each row differs by up to a quarter. */
  readonly bytes?: number
  readonly seed?: number
}

/** Bytes of a document without its body: field names, numbers, title and place. */
const HEAD_BYTES = 270
const ROWS_IN_A_PIECE = 500

/** Copies generated rows into the table: 50,000 rows of 800 bytes a second. */
export async function fillTable(
  url: string,
  { table = 'article', first = 1, count, bytes = 800, seed = 1 }: RowsOptions,
): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' })
  await client.connect()
  try {
    const random = seeded(seed)
    const writer = await createWriter(random)
    const row = (id: number): string => {
      const place = writer.place()
      const length = Math.max(20, Math.round((bytes - HEAD_BYTES) * (0.75 + random() / 2)))
      const day = new Date(Date.UTC(2015, 0, 1) + Math.floor(random() * 3.4e11))
      const values = [
        id,
        '\\N',
        writer.title(),
        place.name,
        place.region,
        place.country,
        (random() * 900 + 1).toFixed(2),
        Math.floor(random() * 500),
        (random() * 5).toFixed(1),
        random() < 0.9,
        day.toISOString(),
        writer.text(length),
        'for the editors',
      ]
      return `${values.join('\t')}\n`
    }
    const pieces = function* () {
      for (let start = first; start < first + count; start += ROWS_IN_A_PIECE) {
        let piece = ''
        const end = Math.min(start + ROWS_IN_A_PIECE, first + count)
        for (let id = start; id < end; id++) piece += row(id)
        yield piece
      }
    }
    await pipeline(Readable.from(pieces()), client.query(copyFrom(`COPY ${table} (${columns}) FROM STDIN`)))
    // Not left to autovacuum, which would come in the midst of a measurement.
    await client.query(`VACUUM (ANALYZE) ${table}`)
  } finally {
    await client.end()
  }
}
