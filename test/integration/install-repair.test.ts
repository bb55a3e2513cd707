import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { type CityWorld, cityWorld, lines } from './install-world.ts'

/** What somebody has broken or switched off, and install puts back. */

let world: CityWorld
let city: DocumentDefinition

beforeAll(async () => {
  world = await cityWorld()
  city = world.city
})
afterAll(() => world.drop())
beforeEach(() => world.clear())

const marks = () => world.marks()
const activeRun = () => world.activeRun()
const cancelRuns = () => world.cancelRuns()

describe('damage is repaired, and followed by a verify', () => {
  it.each<[what: string, damage: string, steps: RegExp[]]>([
    ['a dropped trigger', 'DROP TRIGGER sluice_city_update ON geo.city', [/\+ trigger sluice_city_update/]],
    [
      'a disabled trigger',
      'ALTER TABLE geo.city DISABLE TRIGGER sluice_city_update',
      [/~ trigger sluice_city_update on geo.city \(it was switched off\)/],
    ],
    [
      'all triggers disabled',
      'ALTER TABLE geo.city DISABLE TRIGGER USER',
      Array(4).fill(/~ trigger .* switched off/),
    ],
    [
      'a trigger that fires on replicas only',
      'ALTER TABLE geo.city ENABLE REPLICA TRIGGER sluice_city_delete',
      [/~ trigger sluice_city_delete/],
    ],
    ['a dropped function', 'DROP FUNCTION sluice.key_city', [/\+ function key_city/]],
    [
      'a dropped trigger function',
      'DROP FUNCTION sluice.capture_city_insert CASCADE',
      [/\+ function capture_city_insert/, /\+ trigger sluice_city_insert/],
    ],
    [
      'a table that was replaced',
      'ALTER TABLE geo.city RENAME TO old; CREATE TABLE geo.city (LIKE geo.old INCLUDING ALL)',
      [
        /~ view/,
        /\+ function key_city/,
        /\+ function changed_city/,
        ...Array(4).fill(/\+ trigger .* on geo.city/),
        ...Array(4).fill(/- trigger .* on geo.old/),
        /- function .*geo\.old/,
        /- function .*geo\.old/,
        /~ definition/,
      ],
    ],
  ])('%s', async (what, damage, steps) => {
    await world.install({ city })
    await cancelRuns()
    await world.database.pool.query(damage)
    const { plan } = await world.install({ city })
    const done = lines(plan.steps)
    expect(done.at(-1)).toMatch(/→ verify of city/)
    for (const step of steps) expect.soft(done.join('\n'), what).toMatch(step)
    expect(await activeRun()).toBe('verify requested')
    expect((await world.install({ city })).plan.steps).toEqual([])
    await world.database.pool.query(
      "INSERT INTO geo.city VALUES (1, 'x'); UPDATE geo.city SET name = 'y'; DELETE FROM geo.city",
    )
    expect(await marks()).toBe(3)
  })

  it('an index that is gone is made anew, and filled', async () => {
    await world.install({ city })
    await cancelRuns()
    const lost = String(await world.value('SELECT name FROM sluice.sync_index'))
    await world.elasticsearch.deleteIndex(lost)
    const { plan } = await world.install({ city })
    expect(lines(plan.steps)).toEqual([
      `- index ${lost}, which is gone, from the list`,
      `+ index ${city.index}-<time>-<random> with alias ${city.index}`,
      '→ backfill of city: its index was gone',
    ])
    expect((await world.elasticsearch.aliasTargets(city.index)).indices).toEqual([
      await world.value('SELECT name FROM sluice.sync_index'),
    ])
  })

  it('an alias that is gone is reported', async () => {
    await world.install({ city })
    const index = await world.value('SELECT name FROM sluice.sync_index')
    await world.server.request('DELETE', `/${index}/_alias/${city.index}`)
    const { plan } = await world.install({ city })
    expect(plan.notes.join()).toMatch(/no longer points to .*POST \/_aliases/)
  })

  it('what a CASCADE took is made anew once the configuration is right, the document goes on, the alarm ends', async () => {
    await world.install({ city })
    await cancelRuns()
    await world.database.pool.query(`
      ALTER TABLE geo.city DROP name CASCADE;
      UPDATE sluice.sync_document SET state = 'paused', reason = 'no view', alarm = 'a column is gone'`)
    await expect(world.install({ city })).rejects.toThrow(/documents\.city\.fields/)
    const { plan } = await world.install({ city: { ...city, fields: ['id'] } })
    expect(lines(plan.steps)).toEqual(
      expect.arrayContaining([
        '+ view document_city',
        '+ function changed_city',
        '~ state of city: from paused to active',
        '- alarm: a column is gone',
      ]),
    )
    expect(await world.value('SELECT state FROM sluice.sync_document')).toBe('active')
    expect(await world.value('SELECT alarm FROM sluice.sync_document')).toBeNull()
  })

  it('a document that an operator has paused stays paused', async () => {
    await world.install({ city })
    await world.value("SELECT sluice.pause('city', 'maintenance')")
    const { plan } = await world.install({ city: { ...city, id: ['id'] } })
    expect(plan.notes.join()).toMatch(/city is paused \(maintenance\) and stays so: sluice resume city/)
    expect(await world.value('SELECT state FROM sluice.sync_document')).toBe('paused')
  })
})

describe('detach', () => {
  it('stops the marks, and install puts everything back and verifies', async () => {
    await world.install({ city })
    await cancelRuns()
    expect(await world.value("SELECT sluice.detach('city')")).toBe(4)
    await world.database.pool.query("INSERT INTO geo.city VALUES (1, 'x')")
    expect(await marks()).toBe(0)
    const { plan } = await world.install({ city })
    expect(lines(plan.steps)).toEqual(
      expect.arrayContaining([
        '+ trigger sluice_city_insert on geo.city',
        '~ state of city: from detached to active',
        '→ verify of city: it was detached',
      ]),
    )
    expect(await world.value('SELECT state FROM sluice.sync_document')).toBe('active')
    await world.database.pool.query("INSERT INTO geo.city VALUES (2, 'x')")
    expect(await marks()).toBe(1)
    expect((await world.install({ city })).plan.steps).toEqual([])
  })
})
