import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { looks } from './cli-look-world.ts'
import { type CommandWorld, commandWorld } from './cli-support.ts'

// No daemon runs in these tests: what they look at stays as it is. They follow each other.

let world: CommandWorld
let elasticsearch: CommandWorld['search']
let database: CommandWorld['db']
let place: CommandWorld['place']
const { begin, install, preview, inspect } = looks(() => world)

beforeAll(async () => {
  world = await commandWorld()
  ;({ search: elasticsearch, db: database, place } = world)
})
afterAll(() => world.drop())

/** Writes a document to the live index, as the daemon would. */
async function index(id: string, document: unknown): Promise<void> {
  await elasticsearch.request('PUT', `/${elasticsearch.prefix}city/_doc/${id}?require_alias=true`, document)
}

describe('inspect', () => {
  beforeAll(async () => {
    await begin()
    await install()
  })

  it('agrees: exit code 0', async () => {
    await index('1', (await preview('city', '1')).document)
    expect(await inspect('city', '1')).toMatchObject({
      code: 0,
      differs: false,
      why: [],
      copies: [{ state: 'same' }],
    })
    expect((await place.sluice(['inspect', 'city', '1'])).stdout).toContain('They agree.')
  })

  it('agrees that there is nothing: exit code 0', async () => {
    const { code, copies, problem } = await inspect('city', '2')
    expect({ code, state: copies[0]?.state, problem }).toEqual({
      code: 0,
      state: 'same',
      problem: 'the condition ("where") leaves its row out',
    })
  })

  it('a copy is missing: exit code 3', async () => {
    const { code, copies, why } = await inspect('city', '3')
    expect(code).toBe(3)
    expect(copies).toMatchObject([{ state: 'missing', version: null }])
    expect(why).toEqual([
      expect.stringContaining('it was changed past the triggers'),
      expect.stringContaining('sluice enqueue city 3 puts this one right'),
      'no daemon works on city: sluice run',
    ])
  })

  it('a copy differs: exit code 3, and where', async () => {
    await index('4', { id: 4, name: 'Zurich', day: '2026-01-01', active: true })
    const { code, copies } = await inspect('city', '4')
    expect(code).toBe(3)
    expect(copies).toMatchObject([{ state: 'different' }])
    expect(copies[0]?.differences).toEqual([
      { path: 'name', expected: 'Zürich', indexed: 'Zurich' },
      { path: 'big', expected: 12.5 },
    ])
  })

  it('a copy is one too many: exit code 3', async () => {
    await index('77', { id: 77 })
    expect(await inspect('city', '77')).toMatchObject({ code: 3, copies: [{ state: 'extra' }] })
  })

  it('says what waits, what failed and what is paused', async () => {
    await database.pool.query(`
      UPDATE geo.city SET name = 'Genf' WHERE id = 5;
      INSERT INTO sluice.sync_failed (document, key, target, id, version, state, attempts, type, reason, origin)
      VALUES ('city', '5', '', '5', 7, 'dead', 5, 'mapper_parsing_exception', 'no good', pg_current_xact_id());
      SELECT sluice.pause('city', 'lunch')`)
    const { why, marks, failures } = await inspect('city', '5')
    await database.pool.query(`SELECT sluice.resume('city')`)
    expect(marks).toMatchObject([{ op: 'update', lane: 0, everything: false }])
    expect(failures).toMatchObject([{ state: 'dead', version: '7' }])
    expect(why).toEqual([
      expect.stringMatching(/^a mark waits \(update; the oldest for /),
      'it is dead after 5 attempts: mapper_parsing_exception: no good',
      'city is paused: lunch',
      'no daemon works on city: sluice run',
    ])
  })

  it('does not show what the document leaves out', async () => {
    expect((await place.sluice(['inspect', 'city', '1', '--json'])).stdout).not.toContain('xyz')
    expect((await place.sluice(['inspect', 'city', '1'])).stdout).not.toContain('xyz')
  })

  it('goes on after a column was renamed', async () => {
    await database.pool.query('ALTER TABLE geo.city RENAME COLUMN name TO title')
    expect(await inspect('city', '1')).toMatchObject({ code: 0, row: null, expected: { name: 'Zürich' } })
  })

  it('says that an index is gone', async () => {
    await elasticsearch.drop()
    const { code, copies } = await inspect('city', '1')
    expect(code).toBe(3)
    expect(copies).toMatchObject([{ state: 'unknown', note: 'the index is gone' }])
  })
})
