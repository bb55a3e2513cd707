import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readCaptured } from '../../src/capture/capture-gaps.ts'
import { checkCapture } from '../../src/sync/watch-capture.ts'
import { eventually } from '../support/context.ts'
import { type InstancesWorld, instancesWorld } from './instances-world.ts'

/** Changes that go by without a mark are alarmed of by daemons, and looked for when that is over. What is a gap: the trigger matrix. */

let world: InstancesWorld
beforeAll(async () => {
  world = await instancesWorld()
})
afterAll(() => world?.drop())
beforeEach(() =>
  world.sql("DELETE FROM sluice.sync_run; UPDATE sluice.sync_document SET state = 'active', alarm = NULL"),
)

const look = () =>
  checkCapture({
    pool: world.database.pool,
    schema: 'sluice',
    log: pino({ level: 'silent' }),
  })

const stand = async () => {
  const { rows } = await world.database.pool.query(
    `SELECT d.alarm, r.kind, r.options ->> 'repair' AS repair
       FROM sluice.sync_document d LEFT JOIN sluice.sync_run r ON r.document = d.name`,
  )
  return rows
}
const fine = [{ alarm: null, kind: null, repair: null }]
const verified = [{ alarm: null, kind: 'verify', repair: 'rewrite' }]

const off =
  'goes by without a mark: changes of item, where triggers are gone or switched off (sluice install)'
const inDatabase = (sql: string) =>
  world.sql(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I ${sql}', current_database()); END $$`)

test('a daemon says what goes by without a mark, and puts right what went by when triggers are put back by hand', async () => {
  await look()
  expect(await stand()).toEqual(fine)
  await world.sql("ALTER TABLE item DISABLE TRIGGER USER; INSERT INTO item VALUES (1, 'unseen')")
  const daemon = world.start('one')
  await eventually(async () => expect(await stand()).toEqual([{ ...fine[0], alarm: off }]))
  await world.stop(daemon)
  await world.sql('ALTER TABLE item ENABLE TRIGGER USER')
  await look()
  expect(await stand()).toEqual(verified)
  const again = world.start('two')
  await world.settled()
  await world.stop(again)
})

test('the setting that keeps triggers from firing is an alarm while it is there, and a verify after it, asked for once', async () => {
  await inDatabase('SET session_replication_role = replica')
  await look()
  await look()
  const alarm = expect.stringMatching(
    /^goes by without a mark: what sessions change .* as it is for database sluice_test_\w+ \(ALTER DATABASE "sluice_test_\w+" RESET session_replication_role, and end those sessions\)$/,
  )
  expect(await stand()).toEqual([{ alarm, kind: null, repair: null }])
  await inDatabase('RESET session_replication_role')
  await Promise.all([look(), look()])
  expect(await stand()).toEqual(verified)
  await world.sql('DELETE FROM sluice.sync_run')
  await look()
  expect(await stand()).toEqual(fine)
})

test('install takes the alarm away with a verify, also where the setting was taken back a moment ago', async () => {
  await inDatabase('SET session_replication_role = replica')
  await look()
  await inDatabase('RESET session_replication_role')
  const { plan } = await world.install({ item: world.definition })
  expect(plan.steps.map(({ action, what }) => `${action} ${what}`)).toEqual([
    expect.stringMatching(/^remove alarm: goes by without a mark/),
    'request verify of item: changes could go by without a mark',
  ])
  expect(await stand()).toEqual(verified)
})

test('another alarm is not overwritten; a detached document has none', async () => {
  await world.sql(
    "ALTER TABLE item DISABLE TRIGGER USER; UPDATE sluice.sync_document SET alarm = 'the brake'",
  )
  await look()
  expect(await stand()).toEqual([{ ...fine[0], alarm: 'the brake' }])
  await world.sql("SELECT sluice.detach('item'); UPDATE sluice.sync_document SET alarm = NULL")
  await look()
  expect(await stand()).toEqual(fine)
  await world.install({ item: world.definition }, { backfill: false })
})

test('rows that have come by logical replication since the install are a gap', async () => {
  const client = await world.database.pool.connect()
  try {
    // As a subscription notes it.
    await client.query(`BEGIN; SET LOCAL allow_system_table_mods = on;
      INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) VALUES (1, 'item'::regclass, 'r')`)
    expect(await readCaptured(client, 'sluice')).toEqual([
      {
        name: 'item',
        alarm: null,
        ordinary: true,
        gaps: [{ kind: 'subscribed', schema: 'public', name: 'item' }],
      },
    ])
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
})
