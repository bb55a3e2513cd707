import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type ReindexWorld, reindexWorld } from './reindex-world.ts'

/** A reindex with a daemon, while rows change and searches go on. The tests follow each other. */

let world: ReindexWorld
let alias: string
const definitions = () => ({ thing: { table: 'thing', index: alias } })
const one = async (role: string) => (await world.roles('thing'))[role]?.[0] ?? ''

const ROWS = 600

beforeAll(async () => {
  world = await reindexWorld()
  alias = `${world.server.prefix}thing`
  await world.database.pool.query(`
    CREATE TABLE thing (id bigint PRIMARY KEY, name text, n int);
    INSERT INTO thing SELECT i, 'thing ' || i, 0 FROM generate_series(1, ${ROWS}) i`)
  await world.install(definitions())
  // How new indices are named and registered, with a server that does not wait for the disk by itself.
  await world.database.pool.query(`
    CREATE TABLE registered (synchronous_commit text);
    CREATE FUNCTION note_registered() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO public.registered VALUES (current_setting('synchronous_commit'));
      RETURN NULL;
    END $$;
    CREATE TRIGGER registered AFTER INSERT ON sluice.sync_index
      FOR EACH ROW WHEN (NEW.role = 'building') EXECUTE FUNCTION note_registered();
    CREATE TRIGGER named AFTER UPDATE ON sluice.sync_run
      FOR EACH ROW WHEN (NEW.cursor ->> 'step' = 'create' AND NEW.cursor IS DISTINCT FROM OLD.cursor) EXECUTE FUNCTION note_registered();
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`)
  world.instance(definitions())
  await world.ended('1')
  await world.indexed('thing', alias)
})
afterAll(() => world.drop())

/** Searches through the alias again and again; counts answers, and keeps what is no full answer. */
function searcher() {
  let answers = 0
  const bad: unknown[] = []
  let stopped = false
  const ended = (async () => {
    while (!stopped) {
      const answer = (await world.server.request('POST', `/${alias}/_search`, {
        size: 1,
        track_total_hits: true,
        query: { range: { id: { lte: 400 } } },
      })) as { hits?: { total: { value: number } } }
      answers += 1
      if (answer.hits?.total.value !== 400) bad.push(answer)
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await ended
      return { answers, bad }
    },
  }
}

/** Changes, adds and removes rows, one after the other; those that are searched for stay. */
function writer(from = 10_000) {
  let stopped = false
  let changes = 0
  const { pool } = world.database
  const ended = (async () => {
    for (let n = 1; !stopped; n++, changes++) {
      await pool.query('UPDATE thing SET n = n + 1 WHERE id = $1', [1 + ((n * 7) % 500)])
      if (n % 3 === 0) await pool.query(`INSERT INTO thing VALUES ($1, 'new', 0)`, [from + n])
      if (n % 5 === 0) await pool.query('DELETE FROM thing WHERE id = $1', [501 + ((n / 5) % 99)])
      if (n % 6 === 0) await pool.query('DELETE FROM thing WHERE id = $1', [from + n - 3])
    }
  })()
  return {
    stop: async () => {
      stopped = true
      await ended
      return changes
    },
  }
}

test('builds a new index and moves the alias, while rows change and every search is answered in full', async () => {
  const before = await one('live')
  const others = { filter: { term: { n: 0 } }, index_routing: '1', search_routing: '1' }
  await world.server.request('POST', '/_aliases', {
    actions: [{ add: { index: before, alias: `${alias}-fresh`, filter: others.filter, routing: '1' } }],
  })
  const settingsBefore = await world.elasticsearch.getSettings(before)
  const searching = searcher()
  const writing = writer()
  const run = await world.ended(await world.request('thing'))
  expect(await writing.stop()).toBeGreaterThan(10)
  const { answers, bad } = await searching.stop()
  expect(bad).toEqual([])
  expect(answers).toBeGreaterThan(10)

  const after = await one('live')
  expect(run).toMatchObject({
    state: 'done',
    error: null,
    failed: 0,
    result: { reindex: { indices: [{ alias, index: after, before }], refused: 0 } },
  })
  expect(after).not.toBe(before)
  expect(await one('kept')).toBe(before)
  expect(await world.pointsTo(alias)).toEqual([after])
  // An alias of somebody else's goes along, with all it says.
  expect((await world.elasticsearch.aliasesOf(after)).get(`${alias}-fresh`)).toEqual(others)
  expect([...(await world.elasticsearch.aliasesOf(before)).keys()]).toEqual([])
  // Replicas and refresh are the server's own again.
  const own = ['index.uuid', 'index.creation_date', 'index.provided_name']
  const without = (settings: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(settings).filter(([name]) => !own.includes(name)))
  expect(without(await world.elasticsearch.getSettings(after))).toEqual(without(settingsBefore))

  await world.drained()
  expect(await world.differences('thing', after)).toEqual([])
  // The one before has everything as well, changes after the swap included.
  expect(await world.differences('thing', before)).toEqual([])
})

test('goes back to the index before, which is current, and forth', async () => {
  const [live, kept] = [await one('live'), await one('kept')]
  await world.database.pool.query(`UPDATE thing SET name = 'between' WHERE id = 3`)
  const searching = searcher()
  const back = await world.ended(await world.request('thing', { rollback: true }))
  expect(back).toMatchObject({ state: 'done', error: null })
  expect((await searching.stop()).bad).toEqual([])
  expect(await world.pointsTo(alias)).toEqual([kept])
  expect(await world.roles('thing')).toEqual({ live: [kept], kept: [live] })
  await world.database.pool.query(`UPDATE thing SET name = 'after' WHERE id = 4`)
  await world.drained()
  for (const index of [live, kept]) expect(await world.differences('thing', index)).toEqual([])
})

test('a kept index that has failures the living one has not is not gone back to', async () => {
  const kept = await one('kept')
  await world.database.pool.query(
    `INSERT INTO sluice.sync_failed (document, key, target, id, version, state, attempts, type, reason, origin)
     VALUES ('thing', '5', $1, '5', 1, 'dead', 1, 't', 'r', pg_current_xact_id())`,
    [kept],
  )
  const run = await world.ended(await world.request('thing', { rollback: true }))
  expect(run).toMatchObject({
    state: 'failed',
    error: expect.stringMatching(/the index that was kept is not current: 1 key failed there/),
  })
  expect(await one('kept')).toBe(kept)
})

test('the index before is dropped when its time is over, with its failures and what waits for it', async () => {
  const [live, kept] = [await one('live'), await one('kept')]
  await world.database.pool.query(
    `INSERT INTO sluice.sync_queue (document, lane, keys, op, target) VALUES ('thing', 2, '{7}', 'update', $1)`,
    [kept],
  )
  await world.database.pool.query(
    `UPDATE sluice.sync_index SET drop_at = clock_timestamp() WHERE role = 'kept'`,
  )
  await eventually(async () => expect(await world.roles('thing')).toEqual({ live: [live] }))
  expect(await world.indices()).toEqual([live])
  expect(await world.value('SELECT count(*)::int FROM sluice.sync_failed')).toBe(0)
  await world.drained()
  await expect(world.request('thing', { rollback: true })).rejects.toThrow('no index is kept')
})

test('with --keep 0 it is dropped at once, and of two kept ones the newer stays', async () => {
  const first = await one('live')
  await world.ended(await world.request('thing'))
  const second = await one('live')
  expect(await one('kept')).toBe(first)
  await world.ended(await world.request('thing'))
  await eventually(async () => expect(await world.indices()).not.toContain(first))
  expect(await one('kept')).toBe(second)
  expect((await world.ended(await world.request('thing', { keepMs: 0 }))).result).toMatchObject({
    reindex: { keptUntil: null },
  })
  const live = await one('live')
  await eventually(async () => expect(await world.roles('thing')).toEqual({ live: [live] }))
  expect(await world.indices()).toEqual([live])
})

test('a document that nobody works on, a run under way, an alias of two indices: said before anything is made', async () => {
  const live = await one('live')
  const { pool } = world.database
  await pool.query(`SELECT sluice.pause('thing', 'on purpose')`)
  await expect(world.request('thing')).rejects.toThrow('it is paused (on purpose)')
  await expect(world.request('nothing')).rejects.toThrow('no document "nothing" is installed')
  await world.database.pool.query(`INSERT INTO sluice.sync_run (kind, document) VALUES ('backfill', 'thing')`)
  await expect(world.request('thing')).rejects.toThrow(/run \d+ is under way/)
  await pool.query(`DELETE FROM sluice.sync_run WHERE state = 'requested'; SELECT sluice.resume('thing')`)

  const foreign = `${world.server.prefix}foreign`
  await world.server.request('PUT', `/${foreign}`, { aliases: { [alias]: {} } })
  await expect(world.request('thing')).rejects.toThrow(
    `the alias ${alias} points to ${foreign} as well, which sluice does not write to`,
  )
  // By SQL nobody looks at it before: the run says so.
  const asked = await world.value(
    `INSERT INTO sluice.sync_run (kind, document) VALUES ('reindex', 'thing') RETURNING id::text`,
  )
  expect(await world.ended(String(asked))).toMatchObject({
    state: 'failed',
    error: expect.stringContaining(`points to ${foreign} as well`),
  })
  await world.elasticsearch.deleteIndex(foreign)
  expect(await world.indices()).toEqual([live])
  expect(await world.roles('thing')).toEqual({ live: [live] })
})

test('the name of a new index is on disk before it is made, and its registration before it is written to', async () => {
  expect(await world.value(`SELECT string_agg(DISTINCT synchronous_commit, ',') FROM registered`)).toBe('on')
})

test('recreates an index: its content is gone at once, what was kept with it, and the rows come back while they change', async () => {
  await world.ended(await world.request('thing'))
  const [before, kept] = [await one('live'), await one('kept')]
  expect(kept).not.toBe('')
  // What no repair would find: an id that is no key, written by somebody else.
  await world.server.request('PUT', `/${before}/_doc/nonsense?refresh=true`, { id: 1, name: 'left', n: 1 })
  const writing = writer(1_000_000)
  const run = await world.ended(await world.request('thing', { recreate: true, alias, keepMs: 0 }))
  expect(await writing.stop()).toBeGreaterThan(0)
  await world.drained()
  const after = await one('live')
  expect(run).toMatchObject({
    state: 'done',
    error: null,
    result: { reindex: { indices: [{ alias, index: after, before }], keptUntil: null } },
  })
  // The rows, and not what the verify looked at as well.
  expect(run.walked).toBeGreaterThan(ROWS / 2)
  expect([run.total, run.processed]).toEqual([run.walked, run.walked])
  expect(await world.pointsTo(alias)).toEqual([after])
  expect(await world.differences('thing', alias)).toEqual([])
  const settings = await world.elasticsearch.getSettings(after)
  expect(settings['index.refresh_interval']).toBe(undefined)
  await eventually(async () => {
    const there = await world.indices()
    expect(there).toContain(after)
    expect(there).not.toContain(before)
    expect(there).not.toContain(kept)
  })
})

test('an alias that is not the document’s is refused before anything is touched', async () => {
  const before = await one('live')
  const run = await world.ended(await world.request('thing', { recreate: true, alias: 'other', keepMs: 0 }))
  expect(run).toMatchObject({ state: 'failed', error: expect.stringContaining('behind the alias other') })
  expect(await world.pointsTo(alias)).toEqual([before])
  expect(await world.differences('thing', alias)).toEqual([])
})
