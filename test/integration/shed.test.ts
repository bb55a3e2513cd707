import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPool } from '../../src/postgres/connect.ts'
import { enqueueKeys } from '../../src/queue/enqueue-keys.ts'
import { giveBack } from '../../src/queue/give-back.ts'
import { settleBatch } from '../../src/queue/settle-batch.ts'
import { Instance } from '../../src/runs/instance.ts'
import { compare } from '../support/compare.ts'
import { eventually } from '../support/context.ts'
import { claimOn, keysOf, type QueueDatabase, queueDatabase, settlement } from './queue-fixture.ts'
import { createSyncWorld, SCHEMA, type SyncWorld, thing } from './sync-world.ts'

describe('shed', () => {
  let db: QueueDatabase
  beforeAll(async () => {
    db = await queueDatabase()
    await db.addDocument('city')
    await db.addDocument('country')
  })
  afterAll(() => db.drop())
  beforeEach(() => db.pool.query(`TRUNCATE ${db.s}.sync_queue`))

  const mark = (keys: string[], change: Partial<Parameters<typeof enqueueKeys>[2]> = {}) =>
    enqueueKeys(db.pool, db.schema, { document: 'city', lane: 0, op: 'update', keys, ...change })
  const shed = async () => {
    const [row] = await db.rows<{ n: number }>(`SELECT ${db.s}.shed('city')::integer AS n`)
    return row?.n
  }
  const queued = () =>
    db.rows(`SELECT document, lane, keys, op, origin::text FROM ${db.s}.sync_queue ORDER BY document, id`)

  test('replaces both lanes of one document by an "everything" mark of the oldest origin and age', async () => {
    await mark(['1', '2'], { origin: '70' })
    await mark(['3'], { origin: '50', lane: 1, target: 'cities-1' })
    await mark(['9'], { document: 'country', origin: '40' })
    await db.pool.query(
      `UPDATE ${db.s}.sync_queue SET created_at = now() - interval '1 hour' WHERE keys = '{1,2}'`,
    )
    expect(await shed()).toBe(2)
    expect(await queued()).toEqual([
      { document: 'city', lane: 1, keys: null, op: 'shed', origin: '50' },
      { document: 'country', lane: 0, keys: ['9'], op: 'update', origin: '40' },
    ])
    const aged = `SELECT created_at < now() - interval '59 minutes' AS aged FROM ${db.s}.sync_queue WHERE keys IS NULL`
    expect(await db.rows(aged)).toEqual([{ aged: true }])
    expect(await shed()).toBe(0)
    expect(await queued()).toHaveLength(2)
  })

  test('leaves what stands for itself: marks of runs, parked ones, and those without keys', async () => {
    await mark(['1'], { runId: '5' })
    await mark(['2'], { lane: 2 })
    await db.pool.query(`INSERT INTO ${db.s}.sync_queue (document, lane, op) VALUES ('city', 1, 'truncate')`)
    const before = await queued()
    expect(await shed()).toBe(0)
    expect(await queued()).toEqual(before)
  })

  test('refuses a document that it does not know', async () => {
    await expect(db.pool.query(`SELECT ${db.s}.shed('town')`)).rejects.toThrow('no document "town"')
  })

  test('does not wait for a claim under way, whose marks come back when it is given up', async () => {
    await mark(['claimed'])
    const client = await db.pool.connect()
    try {
      expect(keysOf(await claimOn(client, db.schema, 'city'))).toEqual(['claimed'])
      await mark(['free'])
      expect(await shed()).toBe(1)
      await mark(['new'])
      await giveBack(client)
      expect((await queued()).map(({ keys }) => keys)).toEqual([['claimed'], null, ['new']])

      expect(keysOf(await claimOn(client, db.schema, 'city'))).toEqual(['claimed', 'new'])
      await mark(['late'])
      await shed()
      await settleBatch(client, db.schema, settlement({}), { worker: 'w', maxRetries: 5 })
      expect((await queued()).map(({ keys }) => keys)).toEqual([null, null])
    } finally {
      await giveBack(client)
      client.release()
    }
  })

  test('takes marks only with its transaction', async () => {
    await mark(['1'])
    const client = await db.pool.connect()
    await client.query(`BEGIN; SELECT ${db.s}.shed('city')`)
    expect((await queued()).map(({ keys }) => keys)).toEqual([['1']])
    await client.query('ROLLBACK')
    client.release()
    expect((await queued()).map(({ keys }) => keys)).toEqual([['1']])
  })
})

describe('after shed, with a daemon', () => {
  let world: SyncWorld
  let instance: Instance | undefined
  beforeAll(async () => {
    world = await createSyncWorld()
  })
  afterEach(() => instance?.stop())
  afterAll(() => world.drop())

  test('the index is as the table is, without the marks: changed, new and deleted rows', async () => {
    const { pool } = world.database
    const start = () => {
      instance = new Instance({
        settings: {
          postgres: world.database.url,
          elasticsearch: { url: world.search.url },
          schema: SCHEMA,
          instance: `test-${randomUUID()}`,
          logLevel: 'silent',
          documents: new Map([['thing', thing(world.plan.index)]]),
          file: 'sluice.config.ts',
          limits: world.context.limits,
        },
        log: pino({ level: 'silent' }),
      })
      instance.start()
    }
    for (let id = 1; id <= 40; id++) await world.change(id, `old ${id}`)
    start()
    await eventually(async () => expect(await world.indexed(40)).toBe('old 40'))
    await eventually(async () => expect(await world.pendingKeys()).toBe(0))
    await instance?.stop()

    for (let id = 1; id <= 30; id++) await world.change(id, `new ${id}`)
    for (let id = 36; id <= 40; id++) await world.change(id, null)
    await world.change(99, 'new 99')
    const holder = createPool(world.database.url, { max: 1, applicationName: 'test' })
    const claims = await holder.connect()
    const claim = await claimOn(claims, SCHEMA, 'thing', 3)
    expect(keysOf(claim)).toEqual(['1', '2', '3'])
    const shed = await pool.query(`SELECT "${SCHEMA}".shed('thing')::integer AS marks`)
    expect(shed.rows).toEqual([{ marks: 33 }])
    await giveBack(claims)
    claims.release()
    await holder.end()
    await world.change(35, 'newest 35')

    start()
    await eventually(async () => {
      const { rows } = await pool.query(
        `SELECT kind, state, error, origin::text <> '0' AS origin FROM "${SCHEMA}".sync_run ORDER BY id`,
      )
      expect(rows).toEqual([{ kind: 'verify', state: 'done', error: null, origin: true }])
      expect(await world.pendingKeys()).toBe(0)
    })
    const truth = 'SELECT id::text, to_json(thing) AS document FROM thing ORDER BY id'
    const result = await compare({ pool, elasticsearch: world.search.url, index: world.index, truth })
    expect(result).toMatchObject({ documents: 36, missing: 0, stale: 0, extra: 0 })
  })
})
