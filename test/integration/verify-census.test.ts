import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PointInTime } from '../../src/elasticsearch/point-in-time.ts'
import { compare } from '../../src/runs/compare.ts'
import type { Comparison } from '../../src/runs/comparison.ts'
import type { RunContext } from '../../src/runs/context.ts'
import { isTransient } from '../../src/runs/execute.ts'
import { type Places, places } from './address-world.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'
import { runContext, taken } from './verify-world.ts'

/** What a verify finds out by counting: when nothing has to be listed, and when counting would be deceived. */

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())

/** Documents of rows 1 … count, without marks: written by hand. */
async function filled(count: number, shards = 1): Promise<Places & { readonly physical: string }> {
  const docs = await places(world, { shards })
  const ids = Array.from({ length: count }, (_, n) => n + 1)
  await world.database.pool.query(
    `INSERT INTO ${docs.document} SELECT n, NULL, NULL, 'row' FROM generate_series(1, $1::int) n`,
    [count],
  )
  const [physical = ''] = Object.values(await docs.registered())
  await write(physical, ids)
  return { ...docs, physical }
}

async function write(index: string, ids: readonly number[], query = ''): Promise<void> {
  for (const id of ids.length > 20 ? [] : ids)
    await world.search.request('PUT', `/${index}/_doc/${id}${query}`, { id, name: 'row' })
  if (ids.length <= 20) return
  const lines = ids.flatMap((id) => [{ index: { _id: String(id) } }, { id, name: 'row' }])
  const answer = await fetch(new URL(`/${index}/_bulk`, world.search.url), {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  })
  expect(await answer.json()).toMatchObject({ errors: false })
}

interface Looking {
  readonly deep?: boolean
  /** Done when the rows' state is taken and the index is about to be. */
  readonly between?: () => Promise<void>
  /** Done before each page is counted. */
  readonly paging?: () => Promise<void>
}

/** Compares, and says whether the index was listed. */
async function look(docs: Places, { deep = false, between, paging }: Looking = {}) {
  const { pool } = world.database
  await pool.query(
    `UPDATE "${SCHEMA}".sync_run SET state = 'done', finished_at = now() WHERE state = 'running'`,
  )
  const run = await taken(world, docs)
  let listed = false
  const { elasticsearch } = world
  const watched: RunContext['elasticsearch'] = {
    ...elasticsearch,
    listDocuments: (index) => {
      listed = true
      return elasticsearch.listDocuments(index)
    },
    pointInTime: async (index): Promise<PointInTime | null> => {
      await between?.()
      await elasticsearch.refresh(index)
      const moment = await elasticsearch.pointInTime(index)
      if (moment === null) return null
      return {
        ...moment,
        countIds: async (ids) => {
          await paging?.()
          return moment.countIds(ids)
        },
      }
    },
  }
  const work = {
    ...runContext(world, docs),
    pool: world.context.pool,
    elasticsearch: watched,
    plan: docs.plan,
    signal: new AbortController().signal,
  }
  const comparison = await compare(work, run, { deep })
  return { ...comparison, listed }
}

const equal: Partial<Comparison> = { missing: 0, extra: 0, changing: 0, warnings: [] }

test('where both sides are the same nothing is listed, deep or not', async () => {
  const docs = await filled(50)
  expect(await look(docs)).toMatchObject({ ...equal, rows: 50, documents: 50, listed: false })
  expect(await look(docs, { deep: true })).toMatchObject({ ...equal, rows: 50, documents: 50, listed: false })
})

test('one missing and one extra are even, and both are found', async () => {
  const docs = await filled(50)
  await world.search.request('DELETE', `/${docs.physical}/_doc/7`)
  await write(docs.physical, [1007])
  expect(await look(docs)).toMatchObject({ rows: 50, documents: 50, missing: 1, extra: 1, listed: false })
  expect(await look(docs, { deep: true })).toMatchObject({ missing: 1, extra: 1, stale: 0 })
})

describe('what is written between the two states', () => {
  test('is no difference: rows that came and went, and both at once', async () => {
    const docs = await filled(50)
    const between = async () => {
      await docs.put(60, { tenant: null, route: null, name: 'row' })
      await docs.put(3, null)
      await docs.mark(['60', '3'])
      await docs.drain()
    }
    expect(await look(docs, { between })).toMatchObject({ ...equal, rows: 50, documents: 50, listed: false })
  })

  test('an extra document beside new ones is found', async () => {
    const docs = await filled(50)
    await write(docs.physical, [900])
    const between = async () => {
      await docs.put(61, { tenant: null, route: null, name: 'row' })
      await docs.mark(['61'])
      await docs.drain()
    }
    expect(await look(docs, { between })).toMatchObject({ missing: 0, extra: 1, documents: 52 })
  })

  test('a row that goes while pages are read is of the earlier state on every page', async () => {
    const docs = await filled(20_500)
    let pages = 0
    const paging = async () => {
      // The third page is read after the first was counted.
      if (++pages === 1) await docs.put(20_400, null)
    }
    expect(await look(docs, { paging })).toMatchObject({ ...equal, rows: 20_500, listed: false })
  })

  test('a table that is altered meanwhile waits for nobody', async () => {
    const docs = await filled(50)
    const paging = async () => {
      await world.database.pool.query(
        `SET lock_timeout = '5s'; ALTER TABLE ${docs.document} ADD COLUMN IF NOT EXISTS more text; RESET lock_timeout`,
      )
    }
    expect(await look(docs, { paging })).toMatchObject(equal)
  })
})

test('an extra document that is older than ten thousand others is found by listing', async () => {
  const docs = await filled(0)
  await write(docs.physical, [20_001])
  const ids = Array.from({ length: 10_500 }, (_, n) => n + 1)
  await write(docs.physical, ids)
  await world.database.pool.query(
    `INSERT INTO ${docs.document} SELECT n, NULL, NULL, 'row' FROM generate_series(1, 10500) n`,
  )
  const found = await look(docs)
  expect(found).toMatchObject({ rows: 10_500, documents: 10_501, missing: 0, extra: 1, listed: true })
  expect(found.examples).toMatchObject([{ kind: 'extra', id: '20001' }])
})

test('an id that is there twice, by a routing, does not hide one that is missing', async () => {
  const docs = await filled(40, 2)
  await world.search.request('DELETE', `/${docs.physical}/_doc/7`)
  // Of these routings some lead to the other shard.
  for (const routing of ['a', 'b', 'c', 'd']) await write(docs.physical, [8], `?routing=${routing}`)
  const found = await look(docs)
  expect(found).toMatchObject({ missing: 1, listed: true })
  expect(found.extra).toBeGreaterThanOrEqual(1)
})

test('more missing than are kept, and none', async () => {
  const docs = await filled(0)
  await world.database.pool.query(
    `INSERT INTO ${docs.document} SELECT n, NULL, NULL, 'row' FROM generate_series(1, 12000) n`,
  )
  await write(docs.physical, [5, 30_000])
  expect(await look(docs)).toMatchObject({ rows: 12_000, documents: 2, missing: 11_999, extra: 1 })
})

test.each(['between', 'paging'] as const)(
  'a snapshot that is lost on the way (%s) ends the attempt, which is made again',
  async (when) => {
    const docs = await filled(20)
    const lose = async () => {
      await world.database.pool.query(
        `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
          WHERE datname = current_database() AND query = 'SELECT pg_export_snapshot() AS id'`,
      )
    }
    const error: unknown = await look(docs, { [when]: lose }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(isTransient(error)).toBe(true)
  },
)
