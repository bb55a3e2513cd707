import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Place, type Places, places } from './address-world.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'
import { found, verified } from './verify-world.ts'

/** What a verify finds, of documents of every kind; what it makes of a live system is in verify-live.test.ts. */

let world: SyncWorld

beforeAll(async () => {
  world = await createSyncWorld()
})
afterAll(() => world.drop())

/** Rows 1 … count, indexed. */
async function filled(docs: Places, count: number): Promise<Places> {
  const { pool } = world.database
  await pool.query(
    `INSERT INTO ${docs.document} SELECT n, NULL, NULL, 'row ' || n FROM generate_series(1, $1) n`,
    [count],
  )
  await docs.mark(Array.from({ length: count }, (_, n) => docs.key(n + 1, { tenant: null, route: null })))
  await docs.drain()
  return docs
}

const indexOf = async (docs: Places) => Object.values(await docs.registered())[0] ?? ''

const put = (index: string, id: string, body: unknown, query = '') =>
  world.search.request('PUT', `/${index}/_doc/${encodeURIComponent(id)}${query}`, body)

const remove = (index: string, id: number) => world.search.request('DELETE', `/${index}/_doc/${id}`)

/** The same numbers for the same seed. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    yield state / 2_147_483_648
  }
}

test('300 seeded corruptions are all found, nothing else is, and repair leaves none', async () => {
  const docs = await filled(await places(world), 1_000)
  const index = await indexOf(docs)
  const random = numbers(7)
  const ids = Array.from({ length: 1_000 }, (_, n) => n + 1)
    .map((id) => ({ id, at: random.next().value }))
    .sort((a, b) => a.at - b.at)
    .map(({ id }) => id)
  const [missing, stale, extra] = [ids.slice(0, 100), ids.slice(100, 200), ids.slice(200, 300)]
  const lines = [
    ...missing.map((id) => [{ delete: { _id: String(id) } }]),
    ...stale.map((id) => [{ index: { _id: String(id) } }, { id, name: 'of yesterday' }]),
    ...extra.map((id) => [{ index: { _id: String(id + 5_000) } }, { id: id + 5_000, name: 'of nobody' }]),
  ].flat()
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const headers = { 'content-type': 'application/x-ndjson' }
  const answer = await fetch(new URL(`/${index}/_bulk`, world.search.url), { method: 'POST', headers, body })
  expect(await answer.json()).toMatchObject({ errors: false })

  expect(await found(world, docs)).toMatchObject({
    ...{ deep: false, rows: 1_000, documents: 1_000, missing: 100, stale: 0, extra: 100 },
    ...{ changing: 0, warnings: [] },
  })
  const deep = await found(world, docs, { deep: true })
  expect(deep).toMatchObject({ deep: true, rows: 1_000, missing: 100, stale: 100, extra: 100 })
  expect(deep.examples).toHaveLength(15)
  for (const { kind, id, key, fields } of deep.examples) {
    expect({ missing, stale, extra: extra.map((n) => n + 5_000) }[kind]).toContain(Number(id))
    expect({ key, fields }).toEqual({ key: id, fields: kind === 'stale' ? ['name'] : undefined })
  }

  const run = await verified(world, docs, { deep: true, repair: 'all' })
  expect(run).toMatchObject({ state: 'done', error: null, walked: 300, deleted: 100 })
  expect(run.result?.comparison).toMatchObject({
    ...{ missing: 100, stale: 100, extra: 100 },
    left: { missing: 0, stale: 0, extra: 0, examples: [] },
  })
  expect(await found(world, docs, { deep: true })).toMatchObject({ missing: 0, stale: 0, extra: 0 })
})

test('repair of extras alone deletes them and leaves the rest', async () => {
  const docs = await filled(await places(world), 3)
  const index = await indexOf(docs)
  await remove(index, 1)
  await put(index, '9', { id: 9, name: 'of nobody' })
  expect(await found(world, docs, { repair: 'extra' })).toMatchObject({
    ...{ missing: 1, extra: 1 },
    left: { missing: 1, extra: 0 },
  })
})

test('an _id that is no key is extra, and deleted by its address; what was written there since stays', async () => {
  const docs = await filled(await places(world), 3)
  const index = await indexOf(docs)
  await put(index, 'abc', { id: 1, name: 'by hand' })
  await put(index, '99999999999999999999', { id: 1, name: 'by hand' })
  // In the only shard this is the document of row 2, by a routing that no row has.
  await put(index, '2', { id: 2, name: 'by hand' }, '?routing=x')
  const comparison = await found(world, docs, { repair: 'all' })
  expect(comparison).toMatchObject({ missing: 0, extra: 3, left: { missing: 0, extra: 0 } })
  expect(comparison.examples.map(({ id, key }) => [id, key]).toSorted()).toEqual([
    ['2', null],
    ['99999999999999999999', null],
    ['abc', null],
  ])
  expect(await docs.find(2)).toEqual([{ tenant: null, route: null, name: 'row 2' }])
  expect(await found(world, docs, { deep: true })).toMatchObject({ documents: 3, missing: 0, extra: 0 })
})

test('more foreign ids than the brake allows are left as a whole, until somebody confirms', async () => {
  const docs = await filled(await places(world), 3)
  const index = await indexOf(docs)
  const body = Array.from(
    { length: 1_001 },
    (_, n) => `{"index":{"_id":"x${n}"}}\n{"name":"by hand"}\n`,
  ).join('')
  const headers = { 'content-type': 'application/x-ndjson' }
  await fetch(new URL(`/${index}/_bulk`, world.search.url), { method: 'POST', headers, body })
  const refused = await verified(world, docs, { repair: 'extra' })
  expect(refused.result?.comparison).toMatchObject({ extra: 1_001, left: { extra: 1_001 } })
  expect(refused.error).toMatch(/^1,001 documents whose _id is no key .* --repair --deletes$/)
  expect(await found(world, docs, { repair: 'extra', deletes: true })).toMatchObject({ left: { extra: 0 } })
})

describe('deep', () => {
  test('compares what transform makes, and what it leaves out is not missing', async () => {
    const docs = await filled(
      await places(world, {
        transform: (doc) => (doc.name === 'row 2' ? null : { ...doc, name: `${String(doc.name)}!` }),
      }),
      4,
    )
    const index = await indexOf(docs)
    const clean = { missing: 0, stale: 0, extra: 0 }
    expect(await found(world, docs, { deep: true })).toMatchObject({ rows: 4, documents: 3, ...clean })
    expect(await found(world, docs)).toMatchObject(clean)
    await put(index, '1', { id: 1, name: 'row 1' })
    await put(index, '2', { id: 2, name: 'row 2' })
    expect(await found(world, docs, { deep: true })).toMatchObject({ missing: 0, stale: 1, extra: 1 })
  })

  test('compares the text as it was sent, whatever its spelling, and not what JSON.parse makes of it', async () => {
    const { pool } = world.database
    const docs = await places(world)
    const large = 2n ** 53n + 1n
    await pool.query(
      `INSERT INTO ${docs.document} VALUES (1, '', '', 'row 1'), (${large}, '', '', 'a'), (3, '', '', NULL)`,
    )
    const index = await indexOf(docs)
    const raw = (id: bigint | number, text: string) =>
      fetch(new URL(`/${index}/_doc/${id}`, world.search.url), {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: text,
      })
    await raw(1, '{ "name": "row\\u00201", "id": 1e0 }')
    await raw(large, `{"id": ${large - 1n}, "name": "a"}`)
    await raw(3, '{"id": 3}')
    const { missing, examples } = await found(world, docs, { deep: true })
    expect(missing).toBe(0)
    expect(examples.map(({ id, fields }) => [id, fields]).toSorted()).toEqual([
      ['3', ['name']],
      [String(large), ['id']],
    ])
  })

  test('is refused where an ingest pipeline changes the documents, or the index keeps no _source', async () => {
    const piped = await places(world, { pipeline: 'enrich' })
    expect(await verified(world, piped, { deep: true })).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('the ingest pipeline "enrich" changes its documents'),
    })
    expect(await found(world, piped)).toMatchObject({ rows: 0 })
  })
})

test('tenants’ indices and routings: a document at the wrong place is extra there, and missing where it belongs', async () => {
  const docs = await places(world, { tenants: true, routing: true, shards: 3 })
  const rows: readonly [number, Place][] = [
    [1, { tenant: 'a', route: 'r', name: 'one' }],
    [2, { tenant: 'a', route: null, name: 'two' }],
    [3, { tenant: 'b', route: '', name: 'three' }],
  ]
  for (const [id, place] of rows) {
    await docs.put(id, place)
    await docs.mark([docs.key(id, place)])
  }
  await docs.drain()
  expect(await found(world, docs, { deep: true })).toMatchObject({
    rows: 3,
    documents: 3,
    missing: 0,
    stale: 0,
    extra: 0,
  })
  const indices = await docs.registered()
  const a = indices[docs.plan.index.replace('{tenant}', 'a')] ?? ''
  const b = indices[docs.plan.index.replace('{tenant}', 'b')] ?? ''
  // Past the triggers: a row moves to the other tenant, a tenant comes that has no index.
  await docs.put(1, { tenant: 'b', route: 'r', name: 'one' })
  await docs.put(4, { tenant: 'c', route: null, name: 'four' })
  await put(a, '2', { id: 2, name: 'two' }, '?routing=elsewhere')
  const comparison = await found(world, docs, { repair: 'all', deep: true })
  expect(comparison).toMatchObject({
    missing: 2,
    stale: 0,
    extra: 2,
    left: { missing: 0, stale: 0, extra: 0 },
  })
  expect(comparison.examples.map(({ kind, id, index }) => `${kind} ${id} in ${index}`).toSorted()).toEqual([
    `extra 1 in ${a}`,
    `extra 2 in ${a}`,
    `missing 1 in ${b}`,
    `missing 4 in ${docs.plan.index.replace('{tenant}', 'c')}`,
  ])
  expect(await docs.find(1)).toEqual([{ tenant: 'b', route: 'r', name: 'one' }])
  expect(await docs.find(4)).toEqual([{ tenant: 'c', route: null, name: 'four' }])
})

test('says of a difference that its key is dead, or that its delete is held back', async () => {
  const { pool } = world.database
  const docs = await filled(await places(world), 4)
  const index = await indexOf(docs)
  await remove(index, 1)
  await put(index, '7', { id: 7, name: 'of nobody' })
  await pool.query(`UPDATE ${docs.document} SET name = 'unindexable' WHERE id IN (2, 3)`)
  await remove(index, 3)
  await pool.query(
    `INSERT INTO "${SCHEMA}".sync_failed (document, key, id, target, version, state, attempts, type, reason, origin)
     VALUES ($1, '1', '1', $2, 1, 'dead', 5, 'mapper_parsing', 'of a kind', '1')`,
    [docs.document, index],
  )
  await pool.query(
    `INSERT INTO "${SCHEMA}".sync_queue (document, lane, keys, op) VALUES ($1, 2, '{7}', 'orphan')`,
    [docs.document],
  )
  const { examples } = await found(world, docs, { deep: true })
  // Row 3 can have no document, and has none.
  expect(examples.map(({ kind, id, note }) => [kind, id, note]).toSorted()).toEqual([
    [
      'extra',
      '7',
      `the mass-delete brake holds its delete back: sluice resume ${docs.document} --deletes confirms it`,
    ],
    ['missing', '1', 'it is a dead letter: mapper_parsing: of a kind'],
    ['stale', '2', 'it says so'],
  ])
})

test('a sample looks at so many rows and documents', async () => {
  const docs = await filled(await places(world), 200)
  await world.database.pool.query(`ANALYZE ${docs.document}`)
  const index = await indexOf(docs)
  expect(await found(world, docs, { sample: 50, deep: true })).toMatchObject({
    ...{ sample: 50, rows: 50, documents: 50 },
    ...{ missing: 0, stale: 0, extra: 0 },
  })
  await remove(index, 5)
  await put(index, '900', { id: 900, name: 'of nobody' })
  expect(await found(world, docs, { sample: 10_000 })).toMatchObject({
    ...{ rows: 200, documents: 200 },
    ...{ missing: 1, extra: 1 },
  })
})

test('a wrong option, which may come by SQL, ends the run failed', async () => {
  const docs = await places(world)
  const wrong: readonly (readonly [object, string])[] = [
    [{ sample: 0 }, 'options.sample: got 0, a whole number from 1 to 10,000 is needed'],
    [{ deep: 'yes' }, 'options.deep: got "yes", true or false is needed'],
    [{ repair: 'some' }, 'options.repair: got "some", "all", "extra" or "rewrite" is needed'],
    [{ since: '2 hours' }, 'options: verify has no option "since"'],
  ]
  for (const [options, error] of wrong) {
    const run = await verified(world, docs, options)
    expect(run).toMatchObject({ state: 'failed', error: expect.stringContaining(error) })
  }
})
