import type pg from 'pg'
import { keyExpression } from '../../src/documents/key-sql.ts'
import type { DocumentPlan, KeyColumn } from '../../src/documents/types.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

/** A database with our schema, and documents whose rows are marked by hand: what runs do needs no triggers. */
export interface RunsFixture extends TestDatabase {
  readonly schema: string
}

/** Not the default name, so that a forgotten qualification shows. */
export const SCHEMA = 'Sluice runs'

/** `postgres`: another server than the run's. */
export async function runsFixture(postgres?: string): Promise<RunsFixture> {
  const database = await testDatabase(postgres)
  await migrate(database.url, SCHEMA)
  return { ...database, schema: SCHEMA }
}

export interface FixtureDocument {
  readonly document: string
  readonly key: readonly KeyColumn[]
  readonly walkOrder?: readonly number[]
  readonly where?: string
  readonly index?: string
  /** Column that tells the tenant. */
  readonly tenant?: string
}

/** Creates the view as install does and registers the document. The table `public.<document>` must be there. */
export async function addDocument(pool: pg.Pool, definition: FixtureDocument): Promise<DocumentPlan> {
  const { document, key, where = 'true', index = document, walkOrder, tenant } = definition
  const view = `document_${document}`
  const columns = key.map(({ name }, n) => `r."${name}" AS key_${n + 1}`).join(', ')
  const viewSql = `CREATE VIEW "${SCHEMA}"."${view}" AS
    SELECT ${columns}, ${keyExpression(key, 'r')} AS key, to_json(r)::text AS document, NULL::text AS problem
      FROM public."${document}" r WHERE ${where}`
  await pool.query(viewSql)
  const plan: DocumentPlan = {
    document,
    table: { schema: 'public', name: document },
    key,
    walkOrder: walkOrder ?? key.map((_, n) => n),
    idParts: key.length,
    address: { tenant: null, routing: null },
    ...(tenant === undefined ? {} : { tenant }),
    view,
    viewSql,
    loadSql: '',
    index,
    mappings: {},
    settings: {},
    pipeline: null,
    transform: false,
    sources: [],
    missingIndexes: [],
    columns: { used: [], omitted: [] },
    warnings: [],
  }
  await pool.query(
    `INSERT INTO "${SCHEMA}".sync_document (name, hash, definition, plan) VALUES ($1, 'h', '{}', $2)`,
    [document, JSON.stringify(plan)],
  )
  return plan
}

export interface Drainer {
  /** Resolves when it has reached `until` keys. */
  readonly reached: Promise<void>
  /** Stops when the queue is empty (or `until` is reached) and returns the keys in the order they were marked. */
  stop(): Promise<string[]>
}

/**
 * Stands for the daemons' workers: takes the marks out of the queue and adds them to their runs' counts, until it is
 * stopped. `until`: takes that many keys and no more.
 */
export function drainer(pool: pg.Pool, { until = Number.POSITIVE_INFINITY } = {}): Drainer {
  const keys: string[] = []
  let stopping = false
  let killed = false
  const work = async () => {
    while (keys.length < until && !killed) {
      const taken = await takeMarks(pool)
      keys.push(...taken)
      if (taken.length === 0 && stopping) return
      if (taken.length === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const reached = work()
  drainers.add(() => {
    killed = true
    return reached
  })
  return {
    reached,
    stop: async () => {
      stopping = true
      await reached
      return keys
    },
  }
}

const drainers = new Set<() => Promise<void>>()

/** Ends what a failed test has left draining: it would take the next one's marks. */
export async function stopDrainers(): Promise<void> {
  await Promise.all([...drainers].map((kill) => kill()))
  drainers.clear()
}

async function takeMarks(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ keys: string[] }>(
    `WITH taken AS (
       DELETE FROM "${SCHEMA}".sync_queue WHERE (document, lane, id) =
         (SELECT document, lane, id FROM "${SCHEMA}".sync_queue ORDER BY id LIMIT 1) RETURNING *
     ), counted AS (
       UPDATE "${SCHEMA}".sync_run r SET processed = processed + cardinality(t.keys) FROM taken t WHERE r.id = t.run_id
     )
     SELECT keys FROM taken`,
  )
  return rows.flatMap((row) => row.keys)
}
