import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { runBatch } from '../../src/sync/batch.ts'
import { Confidence } from '../../src/sync/confidence.ts'
import { eventually } from '../support/context.ts'
import { createExpandWorld, type ExpandWorld, views } from './expand-world.ts'
import { SCHEMA } from './sync-world.ts'

/** Marks of related tables, on their way to the documents they are in. */

let world: ExpandWorld

beforeAll(async () => {
  world = await createExpandWorld()
})
afterAll(() => world.drop())
beforeEach(() => world.clear())

const run = () => runBatch(world.context, world.related)

const rename = (id: number, name: string) =>
  world.database.pool.query('UPDATE thing SET name = $2 WHERE id = $1', [id, name])

const runs = () => world.runs()
const failures = () => world.failures()
const restoreViews = () => world.restoreViews()

describe('a mark of a related table', () => {
  test('brings the documents it leads to up to date, and no others', async () => {
    for (const id of [1, 2, 3]) await world.own(id, id === 3 ? 'bob' : 'ann')
    await world.mark({ source: 'owner', keys: ['ann'] })
    expect(await run()).toMatchObject({ outcome: 'settled', givenBack: 0 })
    expect([await world.indexed(1), await world.indexed(2), await world.indexed(3)]).toEqual([
      'thing 1',
      'thing 2',
      null,
    ])
    expect(await world.marks()).toEqual([])
  })

  test('and others that lead to the same document make one operation', async () => {
    await world.own(11, 'ann', 'north')
    await world.mark({ keys: ['11'] })
    await world.mark({ source: 'owner', keys: ['ann', 'bob'] })
    await world.mark({ source: 'parts', keys: ['11'] })
    await world.mark({ source: 'place', keys: ['["ann", "north"]'] })
    await world.mark({ source: 'public.note', keys: ['11'] })
    const result = await run()
    const operations = result.outcome === 'settled' ? result.tally.entries.map(({ count }) => count) : []
    expect(operations).toEqual([1])
    expect(await world.indexed(11)).toBe('thing 11')
  })

  test('with a link of several columns leads where all of them are equal', async () => {
    await world.own(21, 'ann', 'north')
    await world.own(22, 'ann', 'south')
    await world.own(23, 'ann')
    await world.mark({ source: 'place', keys: ['["ann", "south"]', '["ann", null]'] })
    await run()
    expect([await world.indexed(21), await world.indexed(22), await world.indexed(23)]).toEqual([
      null,
      'thing 22',
      null,
    ])
  })

  test('of a row that moved from one parent to another brings both up to date', async () => {
    await world.change(31, 'old parent')
    await world.change(32, 'new parent')
    await run()
    await rename(31, 'without it')
    await rename(32, 'with it')
    await world.mark({ source: 'parts', keys: ['31', '32'] })
    await run()
    expect([await world.indexed(31), await world.indexed(32)]).toEqual(['without it', 'with it'])
  })

  test('whose document is gone has nothing to do', async () => {
    await world.mark({ source: 'parts', keys: ['41'], op: 'delete' })
    const result = await run()
    expect(result).toMatchObject({ outcome: 'settled', givenBack: 0, obstacle: null })
    expect(result.outcome === 'settled' && result.tally.entries).toEqual([])
    expect(await world.marks()).toEqual([])
  })

  test('that leads nowhere does not count as an answer of Elasticsearch', async () => {
    await world.mark({ source: 'parts', keys: ['41'] })
    const confidence = limited(4, 3, 2)
    await runBatch(world.context, { ...world.related, confidence })
    expect(confidence.mostKeys).toBe(2)
  })

  test('leads to documents as they are after the claim', async () => {
    const { pool } = world.database
    await world.own(51, 'ann')
    await world.mark({ source: 'owner', keys: ['ann'] })
    const application = await pool.connect()
    try {
      await application.query('BEGIN; LOCK TABLE ownership IN ACCESS EXCLUSIVE MODE')
      const batch = run()
      await eventually(async () => {
        const { rows } = await pool.query(
          "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        return rows.length > 0
      })
      await application.query(
        "INSERT INTO thing VALUES (52, 'came meanwhile'); INSERT INTO ownership VALUES (52, 'ann')",
      )
      await application.query("UPDATE thing SET name = 'changed meanwhile' WHERE id = 51")
      await application.query('COMMIT')
      expect(await batch).toMatchObject({ outcome: 'settled' })
    } finally {
      application.release()
    }
    expect([await world.indexed(51), await world.indexed(52)]).toEqual([
      'changed meanwhile',
      'came meanwhile',
    ])
  })

  test('for one index, or of a run, leads to keys for that index and run', async () => {
    await world.own(61, 'ann')
    await world.mark({ source: 'owner', keys: ['ann'], target: 'another index' })
    await run()
    expect(await world.indexed(61)).toBeNull()
  })

  test('is read under the settings that all reads have', async () => {
    const { pool } = world.database
    await world.own(71, 'ann')
    await pool.query(
      `CREATE OR REPLACE VIEW "${SCHEMA}"."${views.owner}" AS
         SELECT o.owner AS link_1, o.thing_id::text AS key FROM ownership o
          WHERE current_setting('row_security') = 'off' AND current_setting('TimeZone') = 'UTC'
            AND current_setting('transaction_read_only') = 'on'
            AND current_setting('statement_timeout') <> '0'`,
    )
    await world.mark({ source: 'owner', keys: ['ann'] })
    await run()
    await restoreViews()
    expect(await world.indexed(71)).toBe('thing 71')
  })
})

describe('keys that came of a related table’s mark', () => {
  test('are marked again as keys of documents, where the batch cannot finish them', async () => {
    for (const id of [1, 2, 3]) await world.own(id, 'ann')
    await world.mark({ source: 'owner', keys: ['ann'], op: 'delete', origin: '77', ageMinutes: 5 })
    const confidence = limited(3, 2, 1)
    expect(confidence.mostKeys).toBe(1)
    expect(await runBatch(world.context, { ...world.related, confidence })).toMatchObject({ givenBack: 2 })
    expect(await world.marks()).toMatchObject([
      { lane: 0, source: '', keys: ['2', '3'], op: 'update', origin: '77' },
    ])
    expect(await world.ages()).toEqual([5])
  })

  test('are given back with their mark, where Elasticsearch does not answer', async () => {
    await world.own(1, 'ann')
    await world.mark({ source: 'owner', keys: ['ann'] })
    const before = await world.marks()
    const elasticsearch = connectElasticsearch({ url: 'http://127.0.0.1:1' }, { requestTimeoutMs: 1_000 })
    const result = await runBatch({ ...world.context, elasticsearch }, world.related)
    await elasticsearch.close()
    expect(result).toMatchObject({ outcome: 'given-back', obstacle: { scope: 'elasticsearch' } })
    expect(await world.marks()).toEqual(before)
  })
})

describe('a look at everything', () => {
  test('follows a TRUNCATE of a related table, and explains no deletions', async () => {
    await world.mark({ source: 'parts', keys: null, op: 'truncate', origin: '77' })
    await run()
    expect(await runs()).toEqual([
      { kind: 'verify', reason: 'truncate of parts', origin: '77', truncated: false },
    ])
    expect(await world.marks()).toEqual([])
  })

  test('follows marks of a source that the definition does not have', async () => {
    await world.mark({ source: 'an older one', keys: ['1'], origin: '77' })
    await run()
    expect(await runs()).toMatchObject([
      { kind: 'verify', reason: 'marks of "an older one", which the definition does not have', origin: '77' },
    ])
  })

  test('follows values whose documents cannot be told; other marks of the batch go on', async () => {
    const { pool } = world.database
    for (const id of [1, 2, 3]) await world.own(id, `owner ${id}`)
    await pool.query(
      `CREATE OR REPLACE VIEW "${SCHEMA}"."${views.owner}" AS
         SELECT o.owner AS link_1, (12 / (o.thing_id - 2))::text AS key FROM ownership o`,
    )
    await pool.query('UPDATE ownership SET thing_id = 5 WHERE thing_id = 3')
    await world.mark({ source: 'owner', keys: ['owner 2'], origin: '77' })
    await world.mark({ source: 'owner', keys: ['owner 3'] })
    await world.own(4, 'somebody')
    expect(await run()).toMatchObject({ outcome: 'settled' })
    await restoreViews()
    expect(await world.indexed(4)).toBe('thing 4')
    expect(await runs()).toMatchObject([
      { kind: 'verify', reason: 'values of owner that cannot be looked up', origin: '77' },
    ])
  })

  test('is not called for by a value that the column one level up cannot hold', async () => {
    await world.own(81, 'ann')
    await world.mark({ source: 'parts', keys: ['99999999999999999999', '81', 'seven'] })
    expect(await run()).toMatchObject({ outcome: 'settled' })
    expect(await world.indexed(81)).toBe('thing 81')
    expect(await runs()).toEqual([])
    expect(await failures()).toEqual([])
  })
})

/** After two requests without an answer, of so many keys, and answers to as many at once as the last number. */
function limited(first: number, second: number, most: number): Confidence {
  const confidence = new Confidence(() => performance.now())
  const keys = Array.from({ length: first }, (_, n) => ({ key: `other ${n}` }))
  const one = { alone: false, busy: false }
  confidence.unanswered(keys, one)
  confidence.unanswered(keys.slice(0, second), one)
  for (let n = 0; n < second; n += most) confidence.answered(keys.slice(n, n + most))
  return confidence
}
