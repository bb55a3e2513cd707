import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestDatabase, TestElasticsearch } from '../support/context.ts'
import { type CommandWorld, commandWorld, type Workspace } from './cli-support.ts'

/** `sluice verify` as its users have it, without a daemon. */

let world: CommandWorld
let db: TestDatabase
let search: TestElasticsearch
let here: Workspace

beforeAll(async () => {
  world = await commandWorld()
  ;({ db, search, place: here } = world)
  await db.pool.query(`
    CREATE TABLE city (id bigint PRIMARY KEY, name text);
    INSERT INTO city SELECT n, 'city ' || n FROM generate_series(1, 50) n;
    CREATE TABLE review (id bigint PRIMARY KEY, city_id bigint REFERENCES city, body text);
    INSERT INTO review SELECT n, 1 + n % 10, 'fine' FROM generate_series(1, 30) n;
    CREATE TABLE line (id bigint PRIMARY KEY);
    INSERT INTO line SELECT generate_series(1, 3)`)
  const reviews = { many: 'review', orderBy: 'id', nested: true }
  const documents = {
    city: { table: 'city', index: `${search.prefix}city`, relations: { reviews } },
    line: { table: 'line', index: `${search.prefix}line` },
  }
  await here.write('sluice.config.json', JSON.stringify({ documents }))
  expect(await here.sluice(['install', '--no-backfill'])).toMatchObject({ code: 0 })
  expect(await here.sluice(['backfill', '--all'])).toMatchObject({ code: 0 })
})
afterAll(() => world?.drop())

const document = (method: string, id: number, body?: unknown) =>
  search.request(method, `/${search.prefix}city/_doc/${id}`, body)

test('compares all documents, related tables among them: 0 where nothing differs', async () => {
  const { code, stdout, stderr } = await here.sluice(['verify', '--deep'])
  expect(stdout).toMatch(/^run \d+: verify of city is done in .*: 50 rows, 50 documents; no differences$/m)
  expect(stdout).toMatch(/^run \d+: verify of line is done in .*: 3 rows, 3 documents; no differences$/m)
  expect(stderr).toContain('no daemon works on city, line: it is done here')
  expect(code).toBe(0)
})

test('3 where something differs, with examples; 0 after a repair that leaves nothing', async () => {
  await document('DELETE', 7)
  await document('PUT', 77, { id: 77, name: 'of nobody', reviews: [] })
  await db.pool.query('ALTER TABLE review DISABLE TRIGGER USER')
  await db.pool.query("UPDATE review SET body = 'poor' WHERE city_id = 3")
  await db.pool.query('ALTER TABLE review ENABLE TRIGGER USER')
  const looked = await here.sluice(['verify', 'city', '--deep'])
  expect(looked.stdout).toMatch(/: 50 rows, 50 documents; 3 differences: 1 missing, 1 stale, 1 extra$/m)
  expect(looked.stdout).toMatch(/^missing +7 /m)
  expect(looked.stdout).toMatch(/^stale +3 .* reviews/m)
  expect(looked.stdout).toMatch(/^extra +77 /m)
  expect(looked.code).toBe(3)
  const listed = await here.sluice(['runs'])
  expect(listed.stdout).toMatch(/verify +city +done .*3 differences: 1 missing, 1 stale, 1 extra/)

  const { code, value } = await here.json(['verify', 'city', '--deep', '--repair'])
  expect(value).toMatchObject({
    runs: [
      {
        ...{ kind: 'verify', document: 'city', state: 'done', existing: false },
        comparison: { missing: 1, stale: 1, extra: 1, left: { missing: 0, stale: 0, extra: 0 } },
      },
    ],
  })
  expect(code).toBe(0)
})

test('one that fails does not stop the others, and is told apart by the exit code', async () => {
  // Closed: it cannot be searched, and nothing of it can be said.
  const [index] = Object.keys((await search.request('GET', `/${search.prefix}line`)) as object)
  await search.request('POST', `/${index}/_close`)
  const { code, stdout } = await here.sluice(['verify'])
  await search.request('POST', `/${index}/_open`)
  expect(stdout).toMatch(/verify of line failed: .*index_closed/)
  expect(stdout).toMatch(/verify of city is done .* no differences/)
  expect(code).toBe(1)
})

test('a run under way is not started twice: the second is told its number', async () => {
  const first = await here.sluice(['verify', 'line', '--no-wait'])
  const id = /^run (\d+): verify of line is requested$/m.exec(first.stdout)?.[1]
  expect(first.code).toBe(0)
  const second = await here.sluice(['verify', 'line', '--no-wait'])
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining(`already under way: run ${id}`) })
  expect(await here.sluice(['runs', 'cancel', `${id}`])).toMatchObject({ code: 0 })
})

test.each<[readonly string[], RegExp]>([
  [['ctiy'], /no document "ctiy" is installed \(did you mean "city"\?\)/],
  [['--sample', '0'], /A number from 1 to 10000 is needed/],
  [['--deletes'], /--deletes: goes with --repair/],
])('verify %j is wrong usage', async (args, message) => {
  const { code, stderr } = await here.sluice(['verify', ...args])
  expect(stderr).toMatch(message)
  expect(code).toBe(2)
})
