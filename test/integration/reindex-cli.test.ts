import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestDatabase, TestElasticsearch } from '../support/context.ts'
import { type CommandWorld, commandWorld, type Workspace } from './cli-support.ts'

/** `sluice reindex` as an operator has it, without a daemon. The tests follow each other. */

let world: CommandWorld
let db: TestDatabase
let search: TestElasticsearch
let place: Workspace

beforeAll(async () => {
  world = await commandWorld({ LOG_LEVEL: 'silent' })
  ;({ db, search, place } = world)
  await db.pool.query(`
    CREATE TABLE city (id bigint PRIMARY KEY, name text, n int);
    INSERT INTO city SELECT n, 'city ' || n, n FROM generate_series(1, 20) n`)
  await configure({})
  expect(await place.sluice(['install', '--no-backfill'])).toMatchObject({ code: 0 })
})
afterAll(() => world?.drop())

const configure = (mappings: object) =>
  place.write(
    'sluice.config.json',
    JSON.stringify({ documents: { city: { table: 'city', index: `${search.prefix}city`, mappings } } }),
  )

test('install says with exit code 3 that a changed definition takes a reindex, and reindex carries it out here', async () => {
  await configure({ properties: { n: { type: 'keyword' } } })
  const installed = await place.sluice(['install'])
  expect(installed).toMatchObject({ code: 3 })
  expect(installed.stdout).toMatch(/city needs a reindex, and is as it was: mappings: field n would change/)
  expect(installed.stdout).toContain('sluice reindex city')

  const { code, value } = await place.json(['reindex', 'city', '--keep', '2h'])
  expect(value).toMatchObject({
    run: { kind: 'reindex', state: 'done', options: { keepMs: 7_200_000 }, walked: 20, existing: false },
    steps: expect.arrayContaining([{ action: 'change', document: 'city', what: 'definition of city' }]),
    indices: [{ alias: `${search.prefix}city` }],
    refused: 0,
  })
  expect(code).toBe(0)
  const status = await place.json(['status'])
  expect(status.value).toMatchObject({
    indices: [
      { role: 'kept', dropAt: expect.stringMatching(/^2/) },
      { role: 'live', dropAt: null },
    ],
  })
})

test('--rollback goes back and says so; --keep 0 leaves one index', async () => {
  const back = await place.sluice(['reindex', 'city', '--rollback'])
  expect(back).toMatchObject({ code: 0 })
  expect(back.stdout).toMatch(/points to .* now\nWhat was before is kept, and written to, until .* UTC/)
  const again = await place.sluice(['reindex', 'city', '--keep', '0'])
  expect(again).toMatchObject({ code: 0 })
  expect(again.stderr).toContain('no daemon works on city: it is done here')
  expect(again.stdout).toMatch(/run \d+: reindex of city is done: 20 keys/)
  const all = (await search.request('GET', `/${search.prefix}*`)) as object
  expect(Object.keys(all)).toHaveLength(1)
})

test('a database that forgot the index its alias points to, and that does not fit: install says so, reindex replaces it', async () => {
  // Set back to before the last reindex: the index it knows was dropped since.
  const [left] = Object.keys((await search.request('GET', `/${search.prefix}*`)) as object)
  await db.pool.query(`UPDATE sluice.sync_index SET name = '${search.prefix}city-20200101000000-before'`)
  await configure({ properties: { n: { type: 'long' } } })
  expect(await place.sluice(['install'])).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/-before is gone, and .* points to .*, which sluice made for it/),
  })
  const { code, value } = await place.json(['reindex', 'city', '--keep', '0'])
  expect(value).toMatchObject({ indices: [{ before: left }], run: { state: 'done', walked: 20 } })
  expect(code).toBe(0)
  const all = Object.keys((await search.request('GET', `/${search.prefix}*`)) as object)
  expect(all).toEqual([expect.not.stringMatching(left ?? '')])
  const { rows } = await db.pool.query(`SELECT name, role FROM sluice.sync_index WHERE role <> 'retired'`)
  expect(rows).toEqual([{ name: all[0], role: 'live' }])
})

test('a wrong time, an unknown document, one that is paused, a run under way: each with a clear answer', async () => {
  expect(await place.sluice(['reindex', 'city', '--keep', 'long'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('A time is needed: 24h, 30m, 2d, or 0'),
  })
  expect(await place.sluice(['reindex', 'town'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no document "town" is installed'),
  })
  await db.pool.query(`SELECT sluice.pause('city', 'on purpose')`)
  expect(await place.sluice(['reindex', 'city'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('sluice resume city'),
  })
  await db.pool.query(`SELECT sluice.resume('city')`)
  const first = await place.json(['reindex', 'city', '--no-wait'])
  const second = await place.json(['reindex', 'city', '--no-wait'])
  const id = (first.value as { run: { id: string } }).run.id
  expect(second).toMatchObject({ code: 1, value: { run: { id, existing: true } } })
  expect(await place.sluice(['runs', 'cancel', id])).toMatchObject({ code: 0 })
})
