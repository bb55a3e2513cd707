import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { InstallPlan } from '../../src/capture/plan-install.ts'
import { planInstall } from '../../src/capture/plan-install.ts'
import { structureFindings } from '../../src/cli/doctor/structure-findings.ts'
import { eventually } from '../support/context.ts'
import type { Definitions } from './install-world.ts'
import { type RolesWorld, rolesWorld } from './roles-world.ts'

/**
 * Rows that a policy hides look like rows that are gone, and would be deleted from the index without a word. So whoever
 * is subject to row-level security reads nothing at all, is told so, and what is indexed stays (invariant 12).
 */

const TABLES = `
  CREATE TABLE app.note (id int PRIMARY KEY, tenant text, body text, active bool NOT NULL DEFAULT true);
  INSERT INTO app.note SELECT n, 't' || n % 2, 'note ' || n FROM generate_series(1, 10) n;
  ALTER TABLE app.note ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON app.note USING (tenant = coalesce(current_setting('app.tenant', true), 't0'))`

let world: RolesWorld
let definitions: Definitions
let planned: InstallPlan
let daemon: string
let owner: string

beforeAll(async () => {
  world = await rolesWorld(TABLES)
  daemon = world.name('daemon')
  owner = world.name('owner')
  definitions = {
    note: { table: 'app.note', index: `${world.server.prefix}note`, where: 'active' },
    // Read with the rights of who asks, where a view is read with its owner's.
    query: {
      table: 'app.note',
      id: ['id'],
      index: `${world.server.prefix}query`,
      sql: 'SELECT id, body FROM app.note WHERE id = ANY ($1)',
      dependsOn: { 'app.note': 'id' },
    },
  }
  await world.install(definitions, (plan) => {
    planned = plan
  })
  world.start(definitions)
})
afterAll(() => world?.drop())

const counted = async () => ({
  note: (await world.found('note')).length,
  query: (await world.found('query')).length,
})
/** Of a row that the default policy hides. */
const hiddenChange = (change: string) =>
  world.as('writer', `SET app.tenant = 't1'; UPDATE app.note SET ${change}; RESET app.tenant`)
const superuser = (sql: string) => world.database.pool.query(sql)
const alarms = async () => {
  const { rows } = await world.as('operator', 'SELECT name, alarm FROM sluice.sync_document ORDER BY name')
  return Object.fromEntries(rows.map(({ name, alarm }) => [name, alarm]))
}
const alarmed = (...names: string[]) =>
  eventually(async () => {
    const all = await alarms()
    return names.every((name) => /row-level security.*nothing is read.*BYPASSRLS/s.test(all[name] ?? ''))
  })
const doctor = async () => {
  const client = await world.logins.owner.connect()
  try {
    const input = { schema: world.schema, definitions: new Map(Object.entries(definitions)), backfill: true }
    const plan = await planInstall(client, { ...input, elasticsearch: world.elasticsearch })
    const nothing = {
      documents: [],
      notInstalled: [],
      workers: [],
      runs: [],
      alerts: [],
      failedRuns: [],
      schedules: [],
    }
    return structureFindings(plan, [], { ...nothing, schedulesNotInstalled: [], indices: [] })
  } finally {
    client.release()
  }
}
const aboutReading = async () =>
  (await doctor()).filter(({ what }) => what === 'is not read by whoever should')

describe('a daemon that a policy hides rows from', () => {
  test('is told of by install and doctor, with what to do', async () => {
    for (const document of ['note', 'query']) {
      const what = `row-level security on app.note hides rows from ${daemon}`
      expect(planned.notes).toContainEqual(expect.stringContaining(`${document}: ${what}`))
      expect(await aboutReading()).toContainEqual(
        expect.objectContaining({
          severity: 'error',
          document,
          evidence: expect.stringContaining(what),
          remedy: `ALTER ROLE ${daemon} BYPASSRLS`,
        }),
      )
    }
  })

  test('reads a view with the rights of its owner, all rows; of a query it reads nothing, and says so', async () => {
    await eventually(async () => (await counted()).note === 10)
    await alarmed('query')
    expect((await counted()).query).toBe(0)
  })

  test('tells a row that stopped matching from one that is hidden, and fails a run that reads the table itself', async () => {
    await hiddenChange('active = false WHERE id = 1')
    await eventually(async () => (await counted()).note === 9)
    // The one that install asked for ends a moment after its last row has arrived.
    await eventually(async () => {
      const { rows } = await world.as(
        'operator',
        `SELECT FROM sluice.sync_run WHERE document = 'note' AND finished_at IS NULL`,
      )
      return rows.length === 0
    })
    await world.as(
      'operator',
      `INSERT INTO sluice.sync_run (kind, document, options) VALUES ('backfill', 'note', '{"where": "id > 0"}')`,
    )
    await eventually(async () => {
      const { rows } = await world.as('operator', "SELECT error FROM sluice.sync_run WHERE state = 'failed'")
      return /row-level security/.test(rows[0]?.error ?? '')
    })
    expect((await counted()).note).toBe(9)
  })

  test('goes on by itself when it may see all', async () => {
    await superuser(`ALTER ROLE ${daemon} BYPASSRLS`)
    await world.settled()
    expect(await counted()).toEqual({ note: 9, query: 10 })
    expect(await aboutReading()).toEqual([])
  })
})

describe('an owner of the views that a policy hides rows from (FORCE ROW LEVEL SECURITY)', () => {
  test('empties no index: neither a change, nor a verify with repair, nor a backfill', async () => {
    await superuser('ALTER TABLE app.note FORCE ROW LEVEL SECURITY')
    await hiddenChange("body = 'new' WHERE id = 3")
    await alarmed('note')
    await world.as(
      'operator',
      `INSERT INTO sluice.sync_run (kind, document, options) VALUES
         ('verify', 'note', '{"repair": "all"}'), ('verify', 'query', '{"repair": "rewrite"}')`,
    )
    await eventually(
      async () => {
        const { rows } = await world.as(
          'operator',
          `SELECT document, state, error FROM sluice.sync_run WHERE kind = 'verify' ORDER BY document`,
        )
        return rows.every(({ state, error }) => state === 'failed' && /row-level security/.test(error))
      },
      { describe: async () => JSON.stringify((await world.as('operator', 'TABLE sluice.sync_run')).rows) },
    )
    expect(await counted()).toEqual({ note: 9, query: 10 })
  })

  test('is refused by install, and named by doctor', async () => {
    await expect(world.install(definitions)).rejects.toMatchObject({
      message: expect.stringContaining(`row-level security on app.note hides rows from ${owner}`),
      remedy: expect.stringContaining('BYPASSRLS'),
    })
  })

  test('goes on when it is no longer forced', async () => {
    await superuser('ALTER TABLE app.note NO FORCE ROW LEVEL SECURITY')
    await eventually(async () => (await world.found('note')).some(({ body }) => body === 'new'))
    expect(await counted()).toEqual({ note: 9, query: 10 })
  })
})
