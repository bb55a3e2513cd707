import pg from 'pg'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { pendingLanes } from '../../src/queue/pending-lanes.ts'
import { requeueDueFailures } from '../../src/queue/requeue-due-failures.ts'
import type { Settlement } from '../../src/queue/types.ts'
import type { BatchStore, ClaimSession } from '../../src/sync/batch-store.ts'
import { parkedQueue } from '../../src/sync/parked-keys.ts'
import { postgresStore } from '../../src/sync/postgres-store.ts'
import { put } from '../simulation/memory-changes.ts'
import { LOAD_SQL } from '../simulation/memory-documents.ts'
import { MemoryPostgres } from '../simulation/memory-postgres.ts'
import { type MemoryQueue, memoryQueue } from '../simulation/memory-queue.ts'
import type { FailureRow, MarkRow } from '../simulation/memory-rows.ts'
import { memoryStore } from '../simulation/memory-store.ts'
import { AtOnce, actor } from '../simulation/scheduler.ts'
import { settlement as cities, queueDatabase } from './queue-fixture.ts'

/** The simulation's database and a real one, set up and looked at in the same words. */
export interface StoreWorld {
  readonly store: BatchStore
  readonly queue: Omit<MemoryQueue, 'join'>
  readonly plan: Pick<DocumentPlan, 'key' | 'idParts' | 'loadSql'>
  article(id: string, title: string, author: string | null): Promise<void>
  mark(mark: Partial<Pick<MarkRow, 'lane' | 'source' | 'keys' | 'op' | 'origin' | 'target'>>): Promise<void>
  /** In the order of their ids. */
  marks(): Promise<readonly Omit<MarkRow, 'id' | 'createdAt' | 'document'>[]>
  failures(): Promise<readonly Omit<FailureRow, 'document' | 'dueAt'>[]>
  makeFailuresDue(): Promise<void>
  target(index: string, role: 'live' | 'kept' | 'building'): Promise<void>
  pause(): Promise<void>
  /** Reasons of the verifies that were requested. */
  rewrites(): Promise<readonly string[]>
  /** The server ends all sessions that hold a transaction. */
  cut(): Promise<void>
  /** Nothing in it, and the document active. */
  empty(): Promise<void>
  drop(): Promise<void>
}

export const DOCUMENT = 'article'
export const expansion = { view: 'roots_author', viewSql: '', links: ['bigint'] } as const

const key = [{ name: 'id', type: 'bigint' }] as const

async function memoryWorld(): Promise<StoreWorld> {
  let postgres = new MemoryPostgres(Date.now)
  const parts = {
    get postgres() {
      return postgres
    },
    stepper: new AtOnce(),
    who: actor('test'),
  }
  const apply = async (change: () => unknown) => {
    change()
  }
  return {
    store: memoryStore(parts),
    queue: memoryQueue(parts),
    plan: { key, idParts: 1, loadSql: LOAD_SQL },
    article: (id, title, author) => apply(put(postgres.articles, id, { title, author })),
    mark: (mark) => apply(postgres.insertMark({ ...MARK, createdAt: Date.now(), ...mark })),
    marks: async () =>
      [...postgres.marks.values()]
        .toSorted((a, b) => a.id - b.id)
        .map(({ id: _, createdAt: __, document: ___, ...mark }) => mark),
    failures: async () =>
      [...postgres.failures.values()]
        .map(({ document: _, dueAt: __, ...row }) => row)
        .toSorted((a, b) => `${a.key} ${a.target}`.localeCompare(`${b.key} ${b.target}`)),
    makeFailuresDue: async () => {
      for (const [name, row] of postgres.failures) {
        if (row.state === 'retrying') postgres.failures.set(name, { ...row, dueAt: 0 })
      }
    },
    target: (index, role) =>
      apply(
        put(postgres.targets, index, {
          document: DOCUMENT,
          index,
          alias: 'articles',
          uuid: `uuid of ${index}`,
          role,
          releasedAt: null,
        }),
      ),
    pause: () => apply(put(postgres.documents, DOCUMENT, { state: 'paused', hash: 'h', brakeDeletes: 0 })),
    rewrites: async () => [...postgres.rewrites.values()],
    cut: async () => {
      for (const session of postgres.sessions) if (session.transaction !== null) postgres.end(session)
    },
    empty: async () => {
      postgres = new MemoryPostgres(Date.now)
      postgres.documents.set(DOCUMENT, { state: 'active', hash: 'h', brakeDeletes: 0 })
      postgres.raiseVersionFloor(0n)
    },
    drop: async () => {},
  }
}

const MARK = {
  document: DOCUMENT,
  lane: 0,
  source: '',
  keys: ['1'],
  op: 'update',
  origin: '7',
  target: null,
} as const

async function realWorld(): Promise<StoreWorld> {
  const db = await queueDatabase()
  const { pool, schema, s } = db
  await db.addDocument(DOCUMENT)
  await pool.query('CREATE TABLE article (id bigint PRIMARY KEY, title text, author bigint)')
  await pool.query(
    `CREATE VIEW ${s}.roots_author AS SELECT author AS link_1, id::text AS key FROM public.article`,
  )
  const loadSql = `SELECT k.n, a.id::text, json_build_object('id', a.id, 'title', a.title, 'author', NULL)::text, NULL
    FROM unnest($1::bigint[]) WITH ORDINALITY AS k (id, n) JOIN public.article a USING (id)`
  return {
    store: postgresStore(pool, schema),
    queue: {
      ...parkedQueue(pool, schema),
      pendingLanes: (lanes) => pendingLanes(pool, schema, lanes),
      requeueDueFailures: () => requeueDueFailures(pool, schema, [DOCUMENT]),
    },
    plan: { key, idParts: 1, loadSql },
    article: async (id, title, author) => {
      await pool.query('INSERT INTO article VALUES ($1, $2, $3)', [id, title, author])
    },
    mark: async (mark) => {
      const { document, lane, source, keys, op, origin, target } = { ...MARK, ...mark }
      await pool.query(
        `INSERT INTO ${s}.sync_queue (document, lane, source, keys, op, origin, target) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [document, lane, source, keys, op, origin, target],
      )
    },
    marks: () =>
      db.rows(`SELECT lane, source, keys, op, origin::text, target FROM ${s}.sync_queue ORDER BY id`),
    failures: async () => {
      const rows = await db.rows<{ version: string } & Omit<FailureRow, 'version' | 'document' | 'dueAt'>>(
        `SELECT key, target, version::text, state, attempts, type, origin::text, op FROM ${s}.sync_failed ORDER BY key, target`,
      )
      return rows.map((row) => ({ ...row, version: BigInt(row.version) }))
    },
    makeFailuresDue: async () => {
      await pool.query(`UPDATE ${s}.sync_failed SET due_at = now() WHERE state = 'retrying'`)
    },
    target: async (index, role) => {
      await pool.query(
        `INSERT INTO ${s}.sync_index (name, document, alias, uuid, role, hash) VALUES ($1, $2, 'articles', $3, $4, 'h')`,
        [index, DOCUMENT, `uuid of ${index}`, role],
      )
    },
    pause: async () => {
      await pool.query(`UPDATE ${s}.sync_document SET state = 'paused'`)
    },
    rewrites: async () => {
      const rows = await db.rows<{ reason: string }>(`SELECT reason FROM ${s}.sync_run ORDER BY id`)
      return rows.map(({ reason }) => reason)
    },
    cut: async () => {
      const client = new pg.Client(db.url)
      await client.connect()
      await client.query(
        `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
          WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()`,
      )
      await client.end()
    },
    empty: async () => {
      await pool.query(
        `TRUNCATE article, ${s}.sync_queue, ${s}.sync_failed, ${s}.sync_run, ${s}.sync_index, ${s}.sync_brake;
         UPDATE ${s}.sync_document SET state = 'active', alarm = NULL, foreign_version = 0;
         SELECT ${s}.raise_version_floor()`,
      )
    },
    drop: () => db.drop(),
  }
}

/** What behaves alike. */
export const storeWorlds = [
  ['in memory', memoryWorld],
  ['of Postgres', realWorld],
] as const

export type ClaimRequest = Partial<Parameters<ClaimSession['claimMarks']>[0]>

const claiming = { document: DOCUMENT, lane: 0, maxKeys: 3, idleTimeoutMs: 60_000 } as const

export async function claimOf(world: StoreWorld, request: ClaimRequest) {
  const session = await world.store.openClaim()
  const claim = await session.claimMarks({ ...claiming, ...request })
  return { session, claim, keys: claim?.marks.flatMap(({ keys }) => keys ?? []) ?? null }
}

export const settling = { worker: 'test', maxRetries: 3 }
export const settlement = (change: Partial<Settlement>): Settlement =>
  cities({ document: DOCUMENT, ...change })
