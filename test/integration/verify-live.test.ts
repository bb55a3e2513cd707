import { afterAll, beforeAll, expect, test } from 'vitest'
import { compare } from '../../src/runs/compare.ts'
import { executeRun } from '../../src/runs/execute.ts'
import { takeRun } from '../../src/runs/lifecycle.ts'
import { readRun } from '../../src/runs/read-runs.ts'
import { eventually } from '../support/context.ts'
import { type Places, places } from './address-world.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'
import { found, runContext, taken } from './verify-world.ts'

/** A verify beside writers that never stop, and one whose worker dies. */

let world: SyncWorld
let docs: Places

const ROWS = 200

beforeAll(async () => {
  world = await createSyncWorld()
  docs = await places(world)
  const { pool } = world.database
  await pool.query(`INSERT INTO ${docs.document} SELECT n, NULL, NULL, 'row' FROM generate_series(1, $1) n`, [
    ROWS,
  ])
  await docs.mark(Array.from({ length: ROWS }, (_, n) => String(n + 1)))
  await docs.drain()
})
afterAll(() => world.drop())

/** Writers change the first half of the rows, now gone, now back with the same content, and batches follow, until it is stopped. */
function busy(): { readonly stop: () => Promise<number> } {
  const { pool } = world.database
  let stopping = false
  let changes = 0
  const write = async (writer: number) => {
    for (let n = writer; !stopping; n += 2) {
      const id = 1 + (n % (ROWS / 2))
      const change = [
        `UPDATE ${docs.document} SET name = name || '.' WHERE id = ${id}`,
        `DELETE FROM ${docs.document} WHERE id = ${id}`,
        `INSERT INTO ${docs.document} VALUES (${id}, NULL, NULL, 'row') ON CONFLICT DO NOTHING`,
      ][Math.floor(n / (ROWS / 2)) % 3]
      await pool.query(
        `WITH changed AS (${change} RETURNING id)
         INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op) SELECT '${docs.document}', 0, '{${id}}', 'update' FROM changed`,
      )
      changes += 1
    }
  }
  const index = async () => {
    while (!stopping) await docs.drain()
  }
  const all = Promise.all([write(0), write(1), index()])
  return {
    stop: async () => {
      stopping = true
      await all
      await docs.drain()
      return changes
    },
  }
}

test('sees no difference in documents that change all the time, and every one in those that do not', async () => {
  const writers = busy()
  const seen = []
  try {
    for (const deep of [true, false, true]) seen.push(await found(world, docs, { deep }))
  } finally {
    expect(await writers.stop()).toBeGreaterThan(100)
  }
  for (const comparison of seen)
    expect(comparison).toMatchObject({ missing: 0, stale: 0, extra: 0, warnings: [] })

  const [index = ''] = Object.values(await docs.registered())
  const corrupt = ROWS - 10
  await world.search.request('DELETE', `/${index}/_doc/${corrupt}`)
  await world.search.request('PUT', `/${index}/_doc/${corrupt + 1}`, { id: 1, name: 'of yesterday' })
  await world.search.request('PUT', `/${index}/_doc/900`, { id: 900, name: 'of nobody' })
  const again = busy()
  try {
    expect(await found(world, docs, { deep: true })).toMatchObject({ missing: 1, stale: 1, extra: 1 })
  } finally {
    await again.stop()
  }
  await docs.mark([corrupt, corrupt + 1, 900].map(String))
  await docs.drain()
})

test('whose worker dies while it compares is begun anew by another', async () => {
  const run = await taken(world, docs)
  const context = runContext(world, docs)
  const hanging = new AbortController()
  const reached = Promise.withResolvers<void>()
  const dying = executeRun(
    {
      ...context,
      elasticsearch: {
        ...world.elasticsearch,
        pointInTime: async () => {
          reached.resolve()
          await new Promise((_, reject) =>
            hanging.signal.addEventListener('abort', () => reject(hanging.signal.reason)),
          )
          return null
        },
      },
    },
    run,
    new AbortController().signal,
  )
  await reached.promise
  const { pool } = world.database
  await pool.query(`UPDATE "${SCHEMA}".sync_run SET heartbeat_at = '-infinity' WHERE id = $1`, [run.id])
  const again = await takeRun(pool, SCHEMA, 'b', [docs.document])
  if (again === null) throw new Error('nothing to take over')
  expect(again).toMatchObject({ id: run.id, cursor: { step: 'compare' } })
  expect(await executeRun({ ...context, instance: 'b' }, again, new AbortController().signal)).toBe('done')
  const ended = await readRun(pool, SCHEMA, run.id)
  const { rowCount } = await pool.query(`SELECT FROM ${docs.document}`)
  expect(ended).toMatchObject({ worker: 'b', result: { comparison: { rows: rowCount } } })
  expect(ended?.processed).toBe(ended?.total)

  // What the first one comes to afterwards is nobody's.
  hanging.abort(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  await expect(dying).rejects.toThrow('ECONNRESET')
  await eventually(async () => expect((await readRun(pool, SCHEMA, run.id))?.state).toBe('done'))
})

test('waits for changes on their way, and says so when they are not answered in time', async () => {
  const { pool } = world.database
  const run = await taken(world, docs)
  const { plan } = docs
  const work = {
    ...runContext(world, docs),
    plan,
    definition: undefined,
    signal: new AbortController().signal,
  }
  await docs.put(150, { tenant: null, route: null, name: 'new' })
  await docs.mark(['150'])
  // The one is answered by nobody.
  const impatient = await compare(work, run, { deep: true, patienceMs: 100 })
  expect(impatient).toMatchObject({ stale: 1, warnings: [expect.stringContaining('not answered in time')] })
  await docs.drain()
  // What came of a TRUNCATE is a verify that has to wait for this one.
  await pool.query(`UPDATE "${SCHEMA}".sync_run SET verify_after = '7' WHERE id = $1`, [run.id])
  expect(await compare(work, run)).toMatchObject({ warnings: [expect.stringContaining('and follows')] })
  await pool.query(`UPDATE "${SCHEMA}".sync_run SET verify_after = NULL`)
  // A failure that is being retried may be what is on its way, a dead one is not.
  await world.search.request('DELETE', `/${docs.plan.index}/_doc/151`)
  await pool.query(
    `INSERT INTO "${SCHEMA}".sync_failed (document, key, id, target, version, state, attempts, due_at, type, reason, origin)
     VALUES ($1, '151', '151', '', 1, 'retrying', 1, now() + interval '1 h', 'busy', 'of a kind', '1')`,
    [docs.document],
  )
  expect(await compare(work, run, { patienceMs: 100 })).toMatchObject({
    missing: 1,
    warnings: [expect.any(String)],
  })
  await pool.query(`UPDATE "${SCHEMA}".sync_failed SET state = 'dead', due_at = NULL`)
  expect(await compare(work, run)).toMatchObject({ missing: 1, warnings: [] })
  await docs.mark(['151'])
  await docs.drain()
  await pool.query(
    `DELETE FROM "${SCHEMA}".sync_failed; UPDATE "${SCHEMA}".sync_run SET state = 'done', finished_at = now()`,
  )
})

test('compares an index that is being built when it is named, and leaves it alone otherwise', async () => {
  const { pool } = world.database
  const run = await taken(world, docs)
  const work = { ...runContext(world, docs), plan: docs.plan, signal: new AbortController().signal }
  const { mappings, settings, index: alias } = docs.plan
  const name = `${alias}-20990101000000-building`
  const { uuid } = await world.elasticsearch.createIndex({ name, mappings, settings })
  await pool.query(
    `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash) VALUES ($1, $2, $3, $4, 'building', 'h')`,
    [name, docs.document, alias, uuid],
  )
  const { rowCount } = await pool.query(`SELECT FROM ${docs.document}`)
  expect(await compare(work, run)).toMatchObject({ rows: rowCount, documents: rowCount, missing: 0 })
  const { examples, ...building } = await compare(work, run, { indices: [name] })
  expect(building).toMatchObject({ rows: rowCount, documents: 0, missing: rowCount, extra: 0 })
  expect(examples).toHaveLength(5)
  for (const { index } of examples) expect(index).toBe(name)
  await expect(compare(work, run, { indices: ['cities-2'] })).rejects.toThrow(/cities-2 is no index of/)
})
