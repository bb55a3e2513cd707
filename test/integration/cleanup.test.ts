import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cleanupJson } from '../../src/answers/json/cleanup.ts'
import { eventually } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'
import { createSyncWorld, SCHEMA, type SyncWorld } from './sync-world.ts'

let world: SyncWorld
let place: Workspace
beforeAll(async () => {
  world = await createSyncWorld()
  place = await workspace({
    DATABASE_URL: world.database.url,
    ELASTICSEARCH_URL: world.search.url,
    SLUICE_SCHEMA: SCHEMA,
    ADMIN_PORT: 'off',
    LOG_LEVEL: 'silent',
  })
  await place.write(
    'sluice.config.json',
    JSON.stringify({ documents: { thing: { table: 'thing', index: world.plan.index } } }),
  )
})
afterAll(async () => {
  await place.remove()
  await world.drop()
})

async function age(): Promise<void> {
  await world.database.pool.query(`
    SELECT "${SCHEMA}".create_log_partition(date '2024-02-29');
    INSERT INTO "${SCHEMA}".sync_rollup (minute, document, worker, lag_counts)
    SELECT now() - n * interval '1 day', 'thing', 'w', '{}' FROM generate_series(1, 10) n ON CONFLICT DO NOTHING;
    INSERT INTO "${SCHEMA}".sync_audit (at, instance, who, address, request_id, action, asked)
    SELECT now() - interval '30 days', 'w', 'w', '::1', 'r', 'POST /', '{}';
    INSERT INTO "${SCHEMA}".sync_worker (instance, host, pid, version, state, seen_at)
    VALUES ('old', 'h', 1, '1', 'stopped', now() - interval '2 days')`)
}

const removed = (records: string, n: number) => ({ records, removed: n })

describe('cleanup', () => {
  test('removes what is older than the retention, and says how much', async () => {
    await age()
    const { code, value } = await place.json(['cleanup', '--days', '9'])
    expect(code).toBe(0)
    expect(cleanupJson.parse(value)).toEqual({
      days: 9,
      removed: [
        removed('sync_rollup', 2),
        removed('sync_run', 0),
        removed('sync_audit', 1),
        removed('sync_worker', 1),
        removed('sync_alert', 0),
        removed('sync_log partitions', 1),
        removed('indices', 0),
      ],
    })
    const again = await place.sluice(['cleanup'], { SYNC_LOG_RETENTION_DAYS: '9' })
    expect(again).toMatchObject({ code: 0, stdout: 'Nothing is old enough.\n' })
    expect((await place.sluice(['cleanup', '--days', 'x'])).code).toBe(2)
  })

  test('drops indices whose time is over', async () => {
    const kept = `${world.plan.index}-kept`
    const { uuid } = await world.elasticsearch.createIndex({ name: kept, mappings: {}, settings: {} })
    await world.database.pool.query(
      `INSERT INTO "${SCHEMA}".sync_index (name, document, alias, uuid, role, hash, drop_at)
       VALUES ($1, 'thing', $2, $3, 'kept', '', now())`,
      [kept, world.plan.index, uuid],
    )
    const { value } = await place.json(['cleanup'])
    expect(cleanupJson.parse(value).removed).toContainEqual(removed('indices', 1))
    expect(await world.elasticsearch.indexUuid(kept)).toBeNull()
  })

  test('is done by a daemon when it starts', async () => {
    await age()
    const daemon = place.start(['run'])
    await eventually(async () => {
      const { rows } = await world.database.pool.query(
        `SELECT FROM "${SCHEMA}".sync_worker WHERE instance = 'old'`,
      )
      expect(rows).toEqual([])
    })
    daemon.process.kill('SIGTERM')
    expect((await daemon.ended).code).toBe(0)
  })
})
