import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { statusJson } from '../../src/answers/json/status.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { requestRun } from '../../src/queue/request-run.ts'
import { type BrakeDaemon, type BrakeWorld, brakeWorld, MOST_DELETED, ROWS } from './brake-world.ts'
import { type Workspace, workspace } from './cli-support.ts'

/** Triggers, daemon and runs as they are shipped; 10,000 documents, of which 1,000 may go unexplained. */

let world: BrakeWorld
let cli: Workspace
let daemon: BrakeDaemon

beforeAll(async () => {
  world = await brakeWorld()
  cli = await workspace({
    DATABASE_URL: world.database.url,
    ELASTICSEARCH_URL: world.server.url,
    SLUICE_SCHEMA: world.schema,
  })
  daemon = world.startDaemon()
})
afterAll(async () => {
  await daemon?.stop()
  await cli?.remove()
  await world?.drop()
})
beforeEach(async () => {
  await sql(`SELECT "Sluice brake".resume('item', true)`)
  await sql(`
    DELETE FROM item WHERE id NOT BETWEEN 1 AND ${ROWS};
    INSERT INTO item SELECT n, 'row ' || n FROM generate_series(1, ${ROWS}) n
        ON CONFLICT (id) DO UPDATE SET active = true WHERE NOT item.active`)
  await indexHolds(ROWS)
  expect(await brake()).toBeUndefined()
})

const sql = (text: string) => world.database.pool.query(text)
const item = (change?: Partial<DocumentDefinition>) => world.item(change)
const other = () => world.other()
const count = (alias?: string) => world.count(alias)
const settled = () => world.settled()
const brake = () => world.brake()
const alarm = () => world.alarm()
const parkedKeys = () => world.parkedKeys()

/** For tests that need a backlog: marks gather while `fn` runs. */
async function withoutDaemon(fn: () => Promise<void>, definition = item()): Promise<void> {
  await daemon.stop()
  await fn()
  daemon = world.startDaemon(definition)
}

async function indexHolds(documents: number): Promise<void> {
  await settled()
  expect(await count()).toBe(documents)
}

/** Half of the rows stop matching; returns how many documents were deleted before the brake held. */
async function halfStopMatching(): Promise<number> {
  await sql('UPDATE item SET active = false WHERE id <= 5000')
  await settled()
  const deleted = ROWS - (await count())
  expect(deleted).toBeLessThanOrEqual(MOST_DELETED)
  expect(await brake()).toMatchObject({ tripped: true, deletes: deleted, parked: 5_000 - deleted })
  expect(await parkedKeys()).toBe(5_000 - deleted)
  return deleted
}

describe('rows that stop matching', () => {
  test('lose their documents up to the limit; the others are parked, and everything else goes on', async () => {
    const deleted = await halfStopMatching()
    expect(deleted).toBeGreaterThan(0)
    const state = await brake()
    expect(state?.documents).toBeGreaterThanOrEqual(ROWS - deleted)
    expect(state?.sample).toHaveLength(10)
    expect(await alarm()).toMatch(
      new RegExp(
        `holds back ${(5_000 - deleted).toLocaleString('en-US')} deletes .* after ${deleted === 1000 ? '1,000' : '[0-9,]+'} of [0-9,]+ documents.*` +
          'for example [0-9, ]+\\. If they are to go: sluice resume item --deletes\\. If not: .*sluice resume item$',
      ),
    )
    const errors = daemon.logged.filter(({ level, msg }) => level >= 50 && msg === 'deletes are held back')
    expect(errors).toHaveLength(1)

    await sql(`UPDATE item SET name = 'new' WHERE id = 9000; INSERT INTO other VALUES (1, 'one');
               DELETE FROM item WHERE id = 9999`)
    await settled()
    expect(await count('other')).toBe(1)
    expect(await count()).toBe(ROWS - deleted - 1)
    const { source } = await world.elasticsearch.get(`${world.server.prefix}item`, '9000')
    expect(source).toMatchObject({ name: 'new' })
  })

  test('go when an operator confirms it', async () => {
    const deleted = await halfStopMatching()
    const parked = 5_000 - deleted
    const status = await cli.json(['status'])
    const [shown] = statusJson.parse(status.value).documents.filter(({ name }) => name === 'item')
    expect(shown).toMatchObject({ parkedKeys: parked, brake: { deletes: deleted, parked } })
    const { stdout } = await cli.sluice(['status'])
    expect(stdout).toMatch(/item: the mass-delete brake holds back .* sluice resume item --deletes/)
    expect(stdout).not.toMatch(/index is blocked/)

    const resumed = await cli.json(['resume', 'item', '--deletes'])
    expect(resumed).toEqual({ code: 0, value: { document: 'item', state: 'active', released: parked } })
    await indexHolds(5_000)
    expect(await alarm()).toBeNull()
    expect(await brake()).toBeUndefined()
    expect(await parkedKeys()).toBe(0)
  })

  test('stay when the rows are put right and the document is resumed', async () => {
    await halfStopMatching()
    await sql('UPDATE item SET active = true WHERE id <= 5000')
    await settled()
    expect(await alarm()).toMatch(/mass-delete brake/)
    await sql(`SELECT "Sluice brake".resume('item')`)
    await indexHolds(ROWS)
    expect(await alarm()).toBeNull()
    expect(await parkedKeys()).toBe(0)
  })

  test('are parked again when nothing was put right: looking again allows no more', async () => {
    const deleted = await halfStopMatching()
    await sql(`SELECT "Sluice brake".resume('item')`)
    await settled()
    expect(ROWS - (await count())).toBe(deleted)
    expect(await brake()).toMatchObject({ tripped: true, deletes: deleted, parked: 5_000 - deleted })
    expect(await alarm()).toMatch(/mass-delete brake/)
  })

  test('below the limit go at once, and are counted', async () => {
    await sql('UPDATE item SET active = false WHERE id <= 300')
    await indexHolds(ROWS - 300)
    expect(await brake()).toMatchObject({ deletes: 300, tripped: false, parked: 0 })
    expect(await alarm()).toBeNull()
  })

  test('count anew when ten minutes are over', async () => {
    await sql('UPDATE item SET active = false WHERE id <= 900')
    await indexHolds(ROWS - 900)
    await sql(`UPDATE "Sluice brake".sync_brake SET window_started_at = now() - interval '11 minutes'`)
    await sql('UPDATE item SET active = false WHERE id BETWEEN 901 AND 1800')
    await indexHolds(ROWS - 1_800)
    expect(await brake()).toMatchObject({ deletes: 900, tripped: false })
  })

  test('may be more where the configuration says so, and saying so changes nothing else', async () => {
    const careless = item({ brake: { deletes: 0.9 } })
    const { plan } = await world.install({ item: careless, other: other() })
    expect(plan.steps).toEqual([])
    await withoutDaemon(async () => {}, careless)
    await sql('UPDATE item SET active = false WHERE id <= 5000')
    await indexHolds(5_000)
    expect(await brake()).toMatchObject({ tripped: false, deletes: 5_000 })
    await withoutDaemon(async () => {})
  })

  test('and never had a document are no deletes', async () => {
    await sql(`INSERT INTO item SELECT n, 'inactive', false FROM generate_series(20001, 25000) n`)
    await sql('UPDATE item SET name = name || 1 WHERE id > 20000')
    await indexHolds(ROWS)
    expect(await brake()).toBeUndefined()
    // Nor while the brake holds others back.
    await halfStopMatching()
    const parked = await parkedKeys()
    await sql('UPDATE item SET name = name || 2 WHERE id > 20000')
    await settled()
    expect(await parkedKeys()).toBe(parked)
  })
})

describe('what the application took away itself passes', () => {
  test('a DELETE of half the table', async () => {
    await sql('DELETE FROM item WHERE id <= 5000')
    await indexHolds(5_000)
    expect(await brake()).toBeUndefined()
  })

  test('a TRUNCATE, also behind updates that nobody has looked at yet', async () => {
    await withoutDaemon(async () => {
      await sql('UPDATE item SET name = name || 1 WHERE id <= 5000')
      await sql('TRUNCATE item')
    })
    await indexHolds(0)
    expect(await brake()).toBeUndefined()
  })

  test('a TRUNCATE during another run', async () => {
    await withoutDaemon(async () => {
      await requestRun(world.database.pool, world.schema, { kind: 'backfill', document: 'item' })
      await sql('TRUNCATE item')
    })
    await indexHolds(0)
    expect(await brake()).toBeUndefined()
  })

  test('an UPDATE of the key of half the table', async () => {
    await sql('UPDATE item SET id = id + 100000 WHERE id <= 5000')
    await indexHolds(ROWS)
    expect(await brake()).toBeUndefined()
  })

  test('a DELETE of rows that were updated before, all while the daemon was away', async () => {
    await withoutDaemon(async () => {
      await sql('UPDATE item SET name = name || 1 WHERE id <= 5000')
      await sql('DELETE FROM item WHERE id <= 5000')
    })
    await indexHolds(5_000)
    expect(await brake()).toBeUndefined()
  })
})

test('documents that a verify wants gone are parked, and the verify ends', async () => {
  await sql(
    'ALTER TABLE item DISABLE TRIGGER USER; DELETE FROM item WHERE id <= 5000; ALTER TABLE item ENABLE TRIGGER USER',
  )
  const { id } = await requestRun(world.database.pool, world.schema, {
    kind: 'verify',
    options: { repair: 'all' },
    document: 'item',
  })
  await settled()
  expect(await world.value('SELECT state FROM "Sluice brake".sync_run WHERE id = $1', [id])).toBe('done')
  const deleted = ROWS - (await count())
  expect(deleted).toBeLessThanOrEqual(MOST_DELETED)
  expect(await brake()).toMatchObject({ tripped: true, parked: 5_000 - deleted })
  await sql(`SELECT "Sluice brake".resume('item', true)`)
  await indexHolds(5_000)
})

describe('a mistyped where', () => {
  test('is caught after its install, and undone by installing the right one', async () => {
    const wrong = item({ where: 'active AND id > 5000' })
    await world.install({ item: wrong, other: other() })
    await withoutDaemon(async () => {}, wrong)
    await settled()
    const deleted = ROWS - (await count())
    expect(deleted).toBeLessThanOrEqual(MOST_DELETED)
    expect(await alarm()).toMatch(/mass-delete brake/)

    // An install that changes nothing leaves the alarm where it is.
    expect((await world.install({ item: wrong, other: other() })).plan.steps).toEqual([])
    expect(await alarm()).toMatch(/mass-delete brake/)

    await world.install({ item: item(), other: other() })
    await withoutDaemon(async () => {})
    await indexHolds(ROWS)
    expect(await alarm()).toBeNull()
    expect(await parkedKeys()).toBe(0)
  })
})
