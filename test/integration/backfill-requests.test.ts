import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readFilter } from '../../src/runs/filter.ts'
import { readRuns } from '../../src/runs/read-runs.ts'
import type { Run, RunOptions } from '../../src/runs/types.ts'
import { eventually } from '../support/context.ts'
import { backfills } from './backfill-world.ts'
import { drainer, type RunsFixture, runsFixture, SCHEMA } from './runs-fixture.ts'

/** What a request for a backfill may ask for, what it is told, and what is refused. */

let db: RunsFixture
const { prepare, begin, end, execute, contextOf, request, taken, planOf, runRow, cityKeys, complete } =
  backfills(() => db)

beforeAll(async () => {
  db = await runsFixture()
  await prepare()
})
afterAll(() => db.drop())
beforeEach(begin)
afterEach(end)

describe('--where and --since', () => {
  test('choose rows of the table, with a document or without: one that stopped matching loses its document', async () => {
    await db.pool.query('UPDATE city SET active = false WHERE id = 7')
    const { run, keys } = await complete('city', { where: "name IN ('city 7', 'city 8') -- both" })
    expect(keys).toEqual(['7', '8'])
    expect(run.total).toBe(2)
    await db.pool.query('UPDATE city SET active = true')
  })

  test.each(['changed_at', 'local_at'])('an interval counts back from the request (%s)', async (column) => {
    const { keys } = await complete('city', { since: '2 hours 30 seconds', column })
    // One row a minute; a minute may have begun since they were inserted.
    const expected = await cityKeys(`${column} >= localtimestamp - interval '2 hours 30 seconds'`)
    expect(keys.length).toBeGreaterThanOrEqual(expected.length)
    expect(keys.length).toBeLessThanOrEqual(121)
    expect(keys.slice(0, expected.length)).toEqual(expected)
  })

  test('an interval counts back from the request, not from the resumption', async () => {
    const { id } = await request('city', { since: '2 hours 30 seconds', column: 'changed_at' })
    await db.pool.query(`UPDATE "${SCHEMA}".sync_run SET requested_at = requested_at - interval '1 hour'`)
    const drained = drainer(db.pool)
    await execute(await taken('a'), contextOf('a'))
    expect((await drained.stop()).length).toBeGreaterThan(170)
    expect((await runRow(id)).state).toBe('done')
  })

  test('a timestamp is taken as it is, and goes with a date column', async () => {
    const { rows } = await db.pool.query('SELECT (current_date - 1)::text AS day')
    const { keys } = await complete('city', { since: rows[0].day, column: 'day' })
    expect(keys).toEqual(await cityKeys('day >= current_date - 1'))
  })

  test('both together narrow it further, and resume like any walk', async () => {
    const { keys } = await complete('city', { since: '1 day', column: 'changed_at', where: 'id % 2 = 0' })
    expect(keys.length).toBeGreaterThan(700)
    expect(keys.every((key) => Number(key) % 2 === 0)).toBe(true)
  })

  test('a column that leads no index is warned about', async () => {
    expect((await request('city', { since: '1 hour', column: 'changed_at' })).warnings).toEqual([
      'no index begins with city.changed_at: the walk reads the whole table. CREATE INDEX CONCURRENTLY ON public.city (changed_at)',
    ])
    await db.pool.query('CREATE INDEX city_changed ON city (changed_at)')
    await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run`)
    expect((await request('city', { since: '1 hour', column: 'changed_at' })).warnings).toEqual([])
    await db.pool.query('DROP INDEX city_changed')
  })

  test.each<[RunOptions, RegExp]>([
    [{ since: '2 hours' }, /--since: needs --column/],
    [{ column: 'changed_at' }, /--column: needs --since/],
    [{ since: '2 hours', column: 'chagned_at' }, /--column: city has no column "chagned_at".*"changed_at"/],
    [{ since: '2 hours', column: 'name' }, /--column: city\.name is text/],
    [{ since: 'tomorow', column: 'changed_at' }, /--since: "tomorow" is neither an interval/],
    [{ since: 'infinity', column: 'changed_at' }, /--since: "infinity" is neither/],
    [{ where: 'nmae = 1' }, /--where.*nmae/],
    [{ where: 'name' }, /--where: is text; a condition is needed/],
    [{ where: 'true) OR (true' }, /--where/],
    [{ where: 'id IN (SELECT 1)' }, /--where/],
    [{ where: 'random() < 0.5' }, /--where: .*random\(\), which is volatile/],
  ])('%j is refused before anything is written', async (options, message) => {
    await expect(request('city', options)).rejects.toThrow(message)
    expect((await db.pool.query(`SELECT FROM "${SCHEMA}".sync_run`)).rowCount).toBe(0)
  })

  test('a condition that came by SQL is checked again before it is used', async () => {
    await db.pool.query(
      `INSERT INTO "${SCHEMA}".sync_run (kind, document, options) VALUES ('backfill', 'city', $1)`,
      [JSON.stringify({ where: 'true) w; DROP TABLE nothing; --' })],
    )
    const run = await taken('a')
    expect(await execute(run, contextOf('a'))).toBe('failed')
    expect((await runRow(run.id)).error).toMatch(/--where/)
  })
})

describe('--tenant', () => {
  test('takes all rows of one tenant, and goes with the others', async () => {
    await db.pool.query('UPDATE city SET active = false WHERE id = 4')
    const { run, keys } = await complete('city', { tenant: '1' })
    expect(keys).toEqual(await cityKeys('id % 3 = 1'))
    expect(run).toMatchObject({ total: 4000, options: { tenant: '1' } })
    const both = await complete('city', { tenant: '1', where: 'id < 6' })
    expect(both.keys).toEqual(['1', '4'])
    await db.pool.query('UPDATE city SET active = true')
  })

  test('rides an index of the column, and warns where there is none', async () => {
    expect((await request('city', { tenant: '1' })).warnings).toEqual([
      'no index begins with city.tenant: the walk reads the whole table. CREATE INDEX CONCURRENTLY ON public.city (tenant)',
    ])
    const { conditions } = await readFilter(db.pool, planOf('city'), { tenant: '1' }, null)
    await db.pool.query('CREATE INDEX city_tenant ON city (tenant)')
    const explain = async () => {
      const client = await db.pool.connect()
      await client.query('BEGIN; SET LOCAL enable_seqscan = off')
      const { rows } = await client.query(`EXPLAIN SELECT FROM city WHERE ${conditions.join(' AND ')}`)
      await client.query('ROLLBACK')
      client.release()
      return JSON.stringify(rows)
    }
    // Rows were updated: Postgres leaves the new index alone until no transaction is older than it (indcheckxmin).
    await eventually(async () => expect(await explain()).toMatch(/Index Cond: \(tenant = 1\)/))
  })

  test.each(['01', '9', 'one', ''])('%j is no tenant of any row, and is warned about', async (tenant) => {
    expect(await request('city', { tenant })).toMatchObject({
      warnings: expect.arrayContaining([`no row of city is of tenant "${tenant}"`]),
      estimate: { total: 0, counted: 'exact' },
    })
  })

  test('needs a tenant in the definition', async () => {
    await expect(request('many', { tenant: '1' })).rejects.toThrow(
      /--tenant: many has no "tenant" in its definition/,
    )
  })
})

describe('a request by SQL', () => {
  const bySql = async (options: unknown): Promise<Run> => {
    await db.pool.query(
      `INSERT INTO "${SCHEMA}".sync_run (kind, document, options) VALUES ('backfill', 'city', $1)`,
      [JSON.stringify(options)],
    )
    const run = await taken('a')
    const drained = drainer(db.pool)
    await execute(run, contextOf('a'))
    await drained.stop()
    return runRow(run.id)
  }

  test('is as good as one by command, and says who asked', async () => {
    expect(await bySql({ where: 'id <= 3' })).toMatchObject({
      state: 'done',
      processed: 3,
      requestedBy: new URL(db.url).username,
    })
  })

  test.each<[unknown, string]>([
    [{ whre: 'id = 1' }, 'options: backfill has no option "whre" (did you mean "where"?)'],
    [{ deep: true }, 'options: backfill has no option "deep"'],
    [{ where: 5 }, 'options.where: got 5, a text: an SQL condition over one row is needed'],
    [{ tenant: 7 }, 'options.tenant: got 7, a text is needed'],
    [{ since: null }, 'options.since: got null, a text'],
    [['id = 1'], 'options: got ["id = 1"], a JSON object is needed'],
    [{ since: '2 hours' }, '--since: needs --column'],
  ])('with the options %j fails with the reason, and marks nothing', async (options, reason) => {
    const run = await bySql(options)
    expect(run).toMatchObject({ state: 'failed', walked: 0, error: expect.stringContaining(reason) })
  })
})

describe('a request', () => {
  test('says how many rows it comes to, which the run shows before anyone has taken it', async () => {
    expect(await request('city', { where: 'id <= 3' })).toMatchObject({
      estimate: { total: 3, counted: 'exact' },
    })
    expect(await readRuns(db.pool, SCHEMA)).toMatchObject([{ state: 'requested', total: 3 }])
  })

  test('does not wait for a table that someone has locked', async () => {
    const blocker = await db.pool.connect()
    try {
      await blocker.query('BEGIN; LOCK TABLE nothing IN ACCESS EXCLUSIVE MODE')
      expect(await request('nothing')).toMatchObject({ estimate: null, existing: false })
    } finally {
      await blocker.query('ROLLBACK')
      blocker.release()
    }
  })

  test('for a document with a run under way gets the id of that run', async () => {
    const first = await request('city')
    expect(await request('city')).toMatchObject({ id: first.id, existing: true })
  })

  test('for an unknown, paused or detached document is refused with what to do', async () => {
    await expect(request('ctiy')).rejects.toThrow(/no document "ctiy" is installed.*"city"/)
    await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'paused', reason = 'grant missing'`)
    await expect(request('city')).rejects.toMatchObject({
      message: expect.stringContaining('grant missing'),
      remedy: expect.stringContaining('sluice resume city'),
    })
    await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'detached', reason = NULL`)
    await expect(request('city')).rejects.toMatchObject({ remedy: expect.stringContaining('sluice install') })
    expect((await db.pool.query(`SELECT FROM "${SCHEMA}".sync_run`)).rowCount).toBe(0)
  })
})
