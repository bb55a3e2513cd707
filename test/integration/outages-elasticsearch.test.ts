import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { statusJson } from '../../src/answers/json/status.ts'
import { eventually } from '../support/context.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import type { Started } from './cli-support.ts'
import { type OutagesWorld, outagesWorld } from './outages-world.ts'

/** Elasticsearch away, an index that takes nothing, a credential that has expired: waited for, said, charged to nobody. */

const apartMs = (one: string, other: string) => Math.abs(Date.parse(one) - Date.parse(other))

describe('an outage', () => {
  let world: OutagesWorld
  let proxy: FaultProxy
  let daemon: Started
  beforeAll(async () => {
    proxy = await startFaultProxy(inject('elasticsearchUrl'))
    world = await outagesWorld({ env: { ELASTICSEARCH_URL: proxy.url } })
  })
  afterAll(async () => {
    await world?.drop()
    await proxy?.close()
  })
  beforeEach(async () => {
    await world.database.pool.query('TRUNCATE sluice.sync_worker')
    daemon = await world.run()
  })
  afterEach(async () => {
    proxy.heal()
    daemon.process.kill('SIGTERM')
    expect((await daemon.ended).code).toBe(0)
  })

  test('of Elasticsearch: status says at once what is waited for and since when, how far behind it is, and when it is over', async () => {
    await world.write('item', 1, 'before')
    await world.arrives('item', 1, 'before')
    expect(await world.worker()).toMatchObject({ alive: true, state: 'running', reason: null })

    proxy.break('/', { kind: 'answer', status: 503, body: 'no server behind this proxy' })
    await world.write('item', 1, 'during')
    const { rows } = await world.database.pool.query(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now`,
    )
    // Sooner than the next heartbeat is due.
    await eventually(async () => expect((await world.worker()).state).toBe('waiting'), { timeoutMs: 3_000 })
    const waiting = await world.worker()
    expect(waiting).toMatchObject({ alive: true, reason: expect.stringContaining('503') })
    expect(apartMs(waiting.since, rows[0].now)).toBeLessThan(3_000)
    // Whatever the heartbeats say meanwhile, it is the same outage.
    await eventually(async () => expect((await world.worker()).seenMsAgo).toBeLessThan(1_000))
    expect(apartMs((await world.worker()).since, waiting.since)).toBeLessThan(2_000)
    const { documents } = await world.status()
    expect(documents[0]).toMatchObject({ name: 'item', pendingKeys: 1, retrying: 0, dead: 0 })
    await eventually(async () =>
      expect((await world.status()).documents[0]?.oldestPendingMs).toBeGreaterThan(100),
    )
    expect(statusJson.parse((await world.place.json(['status'])).value)).toMatchObject({
      workers: [{ alive: true, state: 'waiting', reason: expect.stringContaining('503') }],
      documents: [{ name: 'item', pendingKeys: 1, retrying: 0, dead: 0 }, { name: 'other' }],
    })
    const text = await world.place.sluice(['status'])
    expect(text.code).toBe(0)
    expect(text.stdout).toMatch(/the daemon +waiting .*503.*\(since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)/)

    proxy.heal()
    await world.arrives('item', 1, 'during')
    await eventually(async () => expect((await world.worker()).state).toBe('running'), { timeoutMs: 3_000 })
    await world.recovers()
  })

  test('of bulk requests alone, while probes are answered: they come ever more rarely, and it counts as one outage', async () => {
    proxy.break('/_bulk', { kind: 'answer', status: 503, body: 'overloaded' })
    await world.write('item', 2, 'two')
    const bulks = () => proxy.seen.filter((request) => request === 'POST /_bulk').length
    const before = bulks()
    await eventually(async () => expect((await world.worker()).state).toBe('waiting'))
    const { since } = await world.worker()
    await eventually(() => expect(bulks() - before).toBeGreaterThanOrEqual(4))
    const begun = performance.now()
    const few = bulks()
    await eventually(() => performance.now() - begun > 3_000)
    expect(bulks() - few).toBeLessThan(5)
    const waiting = await eventually(async () => {
      const worker = await world.worker()
      return worker.state === 'waiting' ? worker : null
    })
    expect(apartMs(waiting.since, since)).toBeLessThan(2_000)
    proxy.heal()
    await world.recovers()
  })

  test.each([
    [
      'index.blocks.read_only_allow_delete',
      'as the flood-stage watermark of a full disk sets it',
      /read-only/,
    ],
    ['index.blocks.write', 'as an operator sets it', /blocked|FORBIDDEN/],
  ])(
    'of one index, %s (%s): its document waits and says why, the other goes on',
    async (block, _, reason) => {
      const put = (on: boolean | null) =>
        world.search.request('PUT', `/${world.indices.item}/_settings`, { [block]: on })
      await world.write('item', 3, 'before')
      await world.arrives('item', 3, 'before')
      await put(true)
      try {
        await world.write('item', 3, 'during')
        await world.write('other', 3, 'goes on')
        await world.arrives('other', 3, 'goes on')
        const pause = await eventually(async () => (await world.worker()).pauses[0] ?? null, {
          timeoutMs: 3_000,
          describe: world.status,
        })
        expect(pause).toMatchObject({
          document: 'item',
          type: 'cluster_block_exception',
          reason: expect.stringMatching(reason),
        })
        const { documents, workers } = await world.status()
        expect(workers[0]).toMatchObject({ state: 'running', pauses: [{ document: 'item' }] })
        expect(apartMs(workers[0]?.pauses[0]?.since ?? '', pause.since)).toBeLessThan(2_000)
        expect(documents[0]).toMatchObject({ pendingKeys: 1, retrying: 0, dead: 0 })
        expect((await world.place.sluice(['status'])).stdout).toMatch(
          /item waits: .* \(since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)/,
        )
      } finally {
        await put(null)
      }
      await world.arrives('item', 3, 'during')
      await eventually(async () => expect((await world.worker()).pauses).toEqual([]), { timeoutMs: 3_000 })
      await world.recovers()
    },
  )
})
