import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { type BatchContext, runBatch } from '../../src/sync/batch.ts'
import { createMutant, type Mutant, type Mutation } from '../support/mutant.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

/**
 * The orders that make the pipeline correct, each shown twice: the shipped program keeps the promise, and a copy
 * of it, broken on purpose in just that place, does not. A promise whose broken copy passes is not tested at all.
 */

type RunBatch = typeof runBatch

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
  return (await mutant.load<{ runBatch: RunBatch }>('sync/batch.ts')).runBatch
}

/** A gate that a batch stops at, until it is let through. */
function gate() {
  let arrived: () => void = () => {}
  let open: () => void = () => {}
  const reached = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const pass = () => {
    arrived()
    return opened
  }
  return { reached, open: () => open(), pass }
}

/** A pool whose clients call `before` ahead of each statement. The server and the statements are the real ones. */
function watchedPool(pool: pg.Pool, before: (statement: string) => Promise<void>): pg.Pool {
  const watch = (client: pg.PoolClient) =>
    new Proxy(client, {
      get: (target, property) => {
        const value = Reflect.get(target, property)
        if (property !== 'query') return typeof value === 'function' ? value.bind(target) : value
        return async (statement: string | { text: string }, ...rest: unknown[]) => {
          await before(typeof statement === 'string' ? statement : statement.text)
          return Reflect.apply(target.query, target, [statement, ...rest])
        }
      },
    })
  return new Proxy(pool, {
    get: (target, property) => {
      const value = Reflect.get(target, property)
      if (property !== 'connect') return typeof value === 'function' ? value.bind(target) : value
      return async () => watch(await target.connect())
    },
  })
}

/**
 * A batch is held up at the first statement that `after` matched the one before, another batch brings a later state, and then
 * the first goes on. Whatever happens, the index must end with the later state.
 */
async function lateBatch(run: RunBatch, heldUp: { after: RegExp }): Promise<string | null> {
  const { context, request } = world
  await world.change(id, 'old')
  const stop = gate()
  let matched = false
  let held = false
  const pool = watchedPool(world.context.pool, async (statement) => {
    if (matched && !held) {
      held = true
      await stop.pass()
    }
    if (heldUp.after.test(statement)) matched = true
  })
  const late = run({ ...context, pool }, request)
  await stop.reached
  await world.change(id, 'new')
  await run(context, request)
  stop.open()
  await late
  // What the late batch gave back, if it did.
  await run(context, request)
  return world.indexed(id)
}

const afterLoad = { after: /unnest\(\$1/ }

describe('a batch that is overtaken between load and send (invariants 3 and 7)', () => {
  test('does not overwrite the later state', async () => {
    expect(await lateBatch(runBatch, afterLoad)).toBe('new')
  })

  test('would, if its version were drawn after the load', async () => {
    const run = await broken({
      file: 'sync/batch.ts',
      find: 'sendOperations(context.elasticsearch, operations, version.version,',
      replace: 'sendOperations(context.elasticsearch, operations, (await draw(work, schema)).version,',
    })
    expect(await lateBatch(run, afterLoad)).toBe('old')
  })

  test('would, if operations carried no version', async () => {
    const run = await broken({
      file: 'elasticsearch/bulk.ts',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
      find: ',"version":${digits},"version_type":"external_gte"',
      replace: '',
    })
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
    expect(await earlyVersion(runBatch)).toBe('new')
  })

  test('drawn before it loses an update', async () => {
    const run = await broken(
      {
        file: 'sync/batch.ts',
        find: '    claims = await pool.connect()\n',
        replace:
          '    work = await pool.connect()\n    const early = await draw(work, schema)\n    claims = await pool.connect()\n',
      },
      {
        file: 'sync/batch.ts',
        find: '    work = await pool.connect()\n    const version = await draw(work, schema)\n',
        replace: '    const version = early\n',
      },
    )
    expect(await earlyVersion(run)).toBe('old')
  })
})

/** Elasticsearch does not answer; returns the keys still marked. */
async function unanswered(run: RunBatch): Promise<number> {
  await world.change(id, 'one')
  const elasticsearch = connectElasticsearch({ url: 'http://127.0.0.1:1' }, { requestTimeoutMs: 1_000 })
  const context: BatchContext = { ...world.context, elasticsearch }
  await run(context, world.request)
  await elasticsearch.close()
  return world.pendingKeys()
}

describe('an acknowledgement (invariant 8)', () => {
  test('waits for the answer', async () => {
    expect(await unanswered(runBatch)).toBe(1)
  })

  test('given without one loses the change', async () => {
    const run = await broken({
      file: 'sync/batch.ts',
      find: 'if (alone === null || !isSuspicious(sent.obstacle)) throw new Obstructed(sent.obstacle)\n',
      replace: 'continue\n',
    })
    expect(await unanswered(run)).toBe(0)
  })
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
    if (statement.includes('unnest($1')) loaded = true
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
    expect(await cutOff(runBatch)).toBeNull()
  })

  test('would send, if it did not look first', async () => {
    const run = await broken({ file: 'sync/send.ts', find: '  await beforeEach()\n', replace: '' })
    // The settlement meets the cut connection instead, and the gate opens there.
    expect(await cutOff(run)).toBe('one')
  })
})
