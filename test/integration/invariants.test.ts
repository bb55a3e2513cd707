import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { runBatch } from '../../src/sync/batch.ts'
import { postgresStore } from '../../src/sync/postgres-store.ts'
import type { BatchResult } from '../../src/sync/types.ts'
import { mutants } from '../chaos/mutants.ts'
import { createMutant, type Mutant, type Mutation } from '../support/mutant.ts'
import { gate, watchedPool } from '../support/watched-pool.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/**
 * The orders that make the pipeline correct, each shown twice: the shipped program keeps the promise, and a copy
 * of it, broken on purpose in just that place, does not. A promise whose broken copy passes is not tested at all.
 */

type RunBatch = (context: SyncWorld['context'], request: SyncWorld['request']) => Promise<BatchResult>

/** What a copy of the program has of its own: the batch, and the statements below it. */
interface Program {
  readonly runBatch: typeof runBatch
  readonly postgresStore: typeof postgresStore
}

const running =
  (program: Program): RunBatch =>
  (context, request) =>
    program.runBatch({ ...context, store: program.postgresStore(context.pool, SCHEMA) }, request)

const shipped = running({ runBatch, postgresStore })

let world: SyncWorld
/** Another row for each test: documents of the one before are no evidence. */
let id = 0
let mutant: Mutant | undefined

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())
beforeEach(async () => {
  await world.database.pool.query(`TRUNCATE thing, "${SCHEMA}".sync_queue, "${SCHEMA}".sync_failed`)
  id += 1
})
afterEach(async () => {
  await mutant?.remove()
  mutant = undefined
})

async function broken(...mutations: readonly Mutation[]): Promise<RunBatch> {
  mutant = await createMutant(mutations)
  const batch = await mutant.load<Pick<Program, 'runBatch'>>('sync/batch.ts')
  const store = await mutant.load<Pick<Program, 'postgresStore'>>('sync/postgres-store.ts')
  return running({ ...batch, ...store })
}

/** A batch is held up at the first statement that `after` matched the one before; meanwhile something happens; then it goes on. */
async function holdUp(
  run: RunBatch,
  { after }: { after: RegExp },
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  const stop = gate()
  let matched = false
  let held = false
  const pool = watchedPool(world.context.pool, async (statement) => {
    if (matched && !held) {
      held = true
      await stop.pass()
    }
    if (after.test(statement)) matched = true
  })
  const late = run({ ...world.context, pool }, world.request)
  await stop.reached
  await meanwhile()
  stop.open()
  await late
}

/** A batch is held up, and another one brings a later state. Whatever happens, the index must end with the later state. */
async function lateBatch(run: RunBatch, heldUp: { after: RegExp }): Promise<string | null> {
  const { context, request } = world
  await world.change(id, 'old')
  await holdUp(run, heldUp, async () => {
    await world.change(id, 'new')
    await run(context, request)
  })
  // What the late batch gave back, if it did.
  await run(context, request)
  return world.indexed(id)
}

const afterLoad = { after: /^COPY / }

describe('a batch that is overtaken between load and send (invariants 3 and 7)', () => {
  test('does not overwrite the later state', async () => {
    expect(await lateBatch(shipped, afterLoad)).toBe('new')
  })

  test('would, if its version were drawn after the load', async () => {
    const run = await broken(...mutants['version-after-load'])
    expect(await lateBatch(run, afterLoad)).toBe('old')
  })

  test('would, if operations carried no version', async () => {
    const run = await broken(...mutants['index-without-version'])
    expect(await lateBatch(run, afterLoad)).toBe('old')
  })
})

/**
 * A batch is held up before its claim; another batch brings the first state; the second state is committed, and the
 * held one claims its mark. If its version was drawn before the claim, the newer state goes out with the older version.
 */
async function earlyVersion(run: RunBatch): Promise<string | null> {
  const { context, request } = world
  const stop = gate()
  let held = false
  const pool = watchedPool(world.context.pool, async (statement) => {
    if (!held && statement.includes('.claim(')) {
      held = true
      await stop.pass()
    }
  })
  const early = run({ ...context, pool }, request)
  await stop.reached
  await world.change(id, 'old')
  await run(context, request)
  await world.change(id, 'new')
  stop.open()
  await early
  return world.indexed(id)
}

describe('a version (invariant 3)', () => {
  test('is drawn after the claim', async () => {
    expect(await earlyVersion(shipped)).toBe('new')
  })

  test('drawn before it loses an update', async () => {
    const run = await broken(...mutants['version-before-claim'])
    expect(await earlyVersion(run)).toBe('old')
  })
})

/** Elasticsearch does not answer; returns the keys still marked. */
async function unanswered(run: RunBatch): Promise<number> {
  await world.change(id, 'one')
  const elasticsearch = connectElasticsearch({ url: 'http://127.0.0.1:1' }, { requestTimeoutMs: 1_000 })
  const context = { ...world.context, elasticsearch }
  await run(context, world.request)
  await elasticsearch.close()
  return world.pendingKeys()
}

describe('an acknowledgement (invariant 8)', () => {
  test('waits for the answer', async () => {
    expect(await unanswered(shipped)).toBe(1)
  })

  test('given without one loses the change', async () => {
    const run = await broken(...mutants['silence-is-success'])
    expect(await unanswered(run)).toBe(0)
  })
})

/** Longer than the longest term: Elasticsearch refuses it, and the key is dead. */
const refused = 'x'.repeat(40_000)

/** A good state is loaded by a batch that is late; a newer one is refused meanwhile. Returns the failures on record. */
async function lateSuccess(run: RunBatch): Promise<number> {
  await world.change(id, 'good')
  await holdUp(run, afterLoad, async () => {
    await world.change(id, refused)
    await run(world.context, world.request)
  })
  return failures()
}

/** Two batches load states that are refused, and the later one settles first. Returns whether its failure is still on record. */
async function lateFailure(run: RunBatch): Promise<boolean> {
  await world.change(id, refused)
  let recorded = 0n
  await holdUp(run, afterLoad, async () => {
    await world.change(id, `${refused}, too`)
    await run(world.context, world.request)
    recorded = await failedVersion()
  })
  return recorded > 0n && (await failedVersion()) === recorded
}

/**
 * A state that is refused is loaded by a batch that is late; a good one is indexed meanwhile. Returns the failure's state,
 * null for none: OpenSearch compares versions before it finds the text too long, and there is nothing to record.
 */
async function replacedFailure(run: RunBatch): Promise<string | null> {
  await world.change(id, refused)
  await holdUp(run, afterLoad, async () => {
    await world.change(id, 'good')
    await run(world.context, world.request)
  })
  expect(await world.indexed(id)).toBe('good')
  const { rows } = await world.database.pool.query<{ state: string }>(
    `SELECT state FROM "${SCHEMA}".sync_failed`,
  )
  return rows[0]?.state ?? null
}

async function failures(): Promise<number> {
  const { rows } = await world.database.pool.query(`SELECT FROM "${SCHEMA}".sync_failed`)
  return rows.length
}

async function failedVersion(): Promise<bigint> {
  const { rows } = await world.database.pool.query<{ version: string }>(
    `SELECT version FROM "${SCHEMA}".sync_failed`,
  )
  return BigInt(rows[0]?.version ?? 0)
}

describe('an outcome that comes late (invariant 8)', () => {
  const refusesLate = inject('searchProduct') === 'elasticsearch'

  test('as a success does not erase the failure of a later state', async () => {
    expect(await lateSuccess(shipped)).toBe(1)
  })

  test('would erase it, if it did not look at the version', async () => {
    const run = await broken(...mutants['success-erases-newer-failure'])
    expect(await lateSuccess(run)).toBe(0)
  })

  test('as a failure does not take the place of the failure of a later state', async () => {
    expect(await lateFailure(shipped)).toBe(true)
  })

  test('would take it, if it did not look at the version', async () => {
    const run = await broken(...mutants['failure-replaces-newer-failure'])
    expect(await lateFailure(run)).toBe(false)
  })

  test('as a failure of a state that was replaced meanwhile is tried again', async () => {
    expect(await replacedFailure(shipped)).toBe(refusesLate ? 'retrying' : null)
  })

  test.runIf(refusesLate)(
    'would leave a document that is in order among the dead, if it did not look at its row again',
    async () => {
      const run = await broken(...mutants['late-failure-stays'])
      expect(await replacedFailure(run)).toBe('dead')
    },
  )
})

/** The claim's connection is cut while the batch stands before its request; returns what got into the index. */
async function cutOff(run: RunBatch): Promise<string | null> {
  const { context, request } = world
  const { pool } = world.context
  await world.change(id, 'one')
  const stop = gate()
  let loaded = false
  const watched = watchedPool(pool, async (statement) => {
    if (loaded && statement !== 'COMMIT') {
      loaded = false
      await stop.pass()
    }
    if (statement.startsWith('COPY ')) loaded = true
  })
  const batch = run({ ...context, pool: watched }, request)
  await stop.reached
  await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()`,
  )
  stop.open()
  expect(await batch).toMatchObject({ outcome: 'given-back', obstacle: { scope: 'postgres' } })
  expect(await world.pendingKeys()).toBe(1)
  return world.indexed(id)
}

describe('a claim that was cut off (invariant 9)', () => {
  test('sends nothing', async () => {
    expect(await cutOff(shipped)).toBeNull()
  })

  test('would send, if it did not look first', async () => {
    const run = await broken(...mutants['dead-claim-sends'])
    // The settlement meets the cut connection instead, and the gate opens there.
    expect(await cutOff(run)).toBe('one')
  })
})
