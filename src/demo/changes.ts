import { count, plural } from '../counts.ts'
import { FailedError } from '../errors.ts'
import { rollback } from '../postgres/transaction.ts'
import { BOOKS } from './books.ts'
import { TABLES } from './place.ts'
import { type Audience, ms } from './stage.ts'
import { type Played, searchable, synced } from './waiting.ts'

/** Changes of the rows, each followed until a search sees it. */

interface Book {
  readonly title?: string
  readonly author?: { readonly name?: string }
}

interface Change {
  readonly what: string
  readonly sql: string
  /** Documents that show it. */
  readonly documents: number
  /** One of them, and how it is to be; null: it is gone. */
  readonly id: number
  readonly arrived: (book: Book | null) => boolean
}

/** What came of a change. Times are milliseconds from the answer to its COMMIT. */
export interface ChangeReport {
  readonly what: string
  readonly sql: string
  readonly documents: number
  /** Until Elasticsearch had answered for it, as a waiting application is told. */
  readonly indexedMs: number
  /** Until a search saw it, with a refresh asked for at once. */
  readonly searchableMs: number
}

/** What came of a transaction that was rolled back. */
export interface RollbackReport {
  readonly sql: readonly string[]
  /** Rows that it had changed, and that were changed back. */
  readonly rows: number
  /** Whether the document that was looked at has the version that it had. */
  readonly unchanged: boolean
}

const AUTHOR = 7
const ADDED = BOOKS + 1

function changes(booksOfAuthor: number): readonly Change[] {
  return [
    {
      what: 'A row is inserted.',
      sql: `INSERT INTO ${TABLES}.book VALUES (${ADDED}, 'The New Neighbour', 'A novel', 12.50, '2026-01-15', ${AUTHOR})`,
      documents: 1,
      id: ADDED,
      arrived: (book) => book?.title === 'The New Neighbour',
    },
    {
      what: 'A related row is updated: an author is renamed, and every book of theirs shows the name.',
      sql: `UPDATE ${TABLES}.author SET name = 'Greta Novak-Byrne' WHERE id = ${AUTHOR}`,
      documents: booksOfAuthor + 1,
      id: AUTHOR,
      arrived: (book) => book?.author?.name === 'Greta Novak-Byrne',
    },
    {
      what: 'A row is deleted.',
      sql: `DELETE FROM ${TABLES}.book WHERE id = ${ADDED}`,
      documents: 1,
      id: ADDED,
      arrived: (book) => book === null,
    },
  ]
}

/** Each on its own, and timed. Throws a FailedError where one does not arrive. */
export async function playChanges(played: Played, audience: Audience): Promise<readonly ChangeReport[]> {
  const { pool, elasticsearch, index } = played
  // Or the first change would be charged with the refresh of all that the backfill has written.
  await elasticsearch.refresh(index)
  const { rows } = await pool.query<{ books: number }>(
    `SELECT count(*)::int AS books FROM ${TABLES}.book WHERE author_id = ${AUTHOR}`,
  )
  const reports: ChangeReport[] = []
  for (const change of changes(rows[0]?.books ?? 0)) {
    audience.say(change.what)
    audience.show(change.sql)
    const report = await timed(played, change)
    audience.say(
      `${plural(report.documents, 'document', 'documents')} in Elasticsearch ${ms(report.indexedMs)} after the commit, searchable after ${ms(report.searchableMs)}.`,
    )
    reports.push(report)
  }
  return reports
}

async function timed(played: Played, { what, sql, documents, id, arrived }: Change): Promise<ChangeReport> {
  const { pool, elasticsearch, index } = played
  await pool.query(sql)
  const committed = performance.now()
  await synced(played)
  const indexedMs = performance.now() - committed
  await elasticsearch.refresh(index)
  const { source } = await searchable(played, id)
  const searchableMs = performance.now() - committed
  if (!arrived(source as Book | null)) {
    throw new FailedError(`document ${id} is not as it should be after: ${sql}`, {
      remedy: 'That is a fault of sluice: please tell us what sluice doctor says of your servers.',
    })
  }
  return { what, sql, documents, indexedMs, searchableMs }
}

/** All prices are changed in a transaction that does not commit: its marks go with it, and nothing is written. */
export async function playRollback(played: Played, audience: Audience): Promise<RollbackReport> {
  const { pool, elasticsearch, index } = played
  const update = `UPDATE ${TABLES}.book SET price = 0`
  const sql = ['BEGIN', update, 'ROLLBACK']
  audience.say('Every price is set to 0, by mistake, and the transaction is rolled back.')
  audience.show(sql.join('; '))
  const before = await searchable(played, AUTHOR)
  const client = await pool.connect()
  let rows = 0
  let clean = false
  try {
    await client.query('BEGIN')
    rows = (await client.query(update)).rowCount ?? 0
  } finally {
    clean = await rollback(client)
    client.release(!clean)
  }
  await synced(played)
  await elasticsearch.refresh(index)
  const after = await searchable(played, AUTHOR)
  const unchanged = after.version === before.version
  audience.say(
    unchanged
      ? `Nothing was written: the marks of ${count(rows)} rows went with the transaction.`
      : 'A document was written all the same.',
  )
  return { sql, rows, unchanged }
}
