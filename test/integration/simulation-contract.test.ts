import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { wholeLanes } from '../../src/queue/pending-lanes.ts'
import type { BatchKey } from '../../src/queue/types.ts'
import { obstacleOf } from '../../src/sync/obstacle.ts'
import {
  type ClaimRequest,
  claimOf,
  DOCUMENT,
  expansion,
  type StoreWorld,
  settlement,
  settling,
  storeWorlds,
} from './simulation-store-world.ts'

/** What the simulation is built on behaves as the real thing does: the same cases, of both. */

describe.each(storeWorlds)('the store %s', (_, open) => {
  let world: StoreWorld
  beforeAll(async () => {
    world = await open()
  })
  afterAll(() => world?.drop())
  beforeEach(() => world.empty())

  const claims = (request: ClaimRequest = {}) => claimOf(world, request)

  test('claims the oldest free marks, up to so many keys, and one mark at least', async () => {
    await world.mark({ keys: ['1', '2', '3', '4'] })
    await world.mark({ keys: ['5'] })
    await world.mark({ keys: ['6', '7'] })
    await world.mark({ keys: ['8'] })
    await world.mark({ keys: ['9'], lane: 1 })
    const all = [await claims(), await claims(), await claims(), await claims()]
    expect(all.map(({ keys }) => keys)).toEqual([['1', '2', '3', '4'], ['5', '6', '7'], ['8'], null])
    const look = await world.queue.pendingLanes(wholeLanes([DOCUMENT]))
    expect(look.lanes.map(({ lane }) => lane).sort()).toEqual([0, 1])
    for (const { session } of all) {
      await session.giveBack()
      session.release(false)
    }
    const again = await claims({ maxKeys: 100 })
    expect(again.keys).toEqual(['1', '2', '3', '4', '5', '6', '7', '8'])
    again.session.release(true)
  })

  test('seeks from a front on: marks before it are neither seen nor claimed', async () => {
    for (const key of ['1', '2', '3']) await world.mark({ keys: [key] })
    const lane = { document: DOCUMENT, lane: 0 } as const
    const from = (front: bigint) => world.queue.pendingLanes([{ ...lane, front }])
    const whole = await world.queue.pendingLanes(wholeLanes([DOCUMENT]))
    const first = whole.lanes[0]?.front ?? 0n
    expect(whole).toEqual({ lanes: [{ ...lane, front: first }], lastId: first + 2n })
    const behind = await from(first + 1n)
    expect(behind.lanes).toEqual([{ ...lane, front: first + 1n }])
    const { session, keys } = await claims({ front: first + 1n, maxKeys: 100 })
    expect(keys).toEqual(['2', '3'])
    // Marks of a claim that is open are there still.
    expect((await from(first + 2n)).lanes).toEqual([{ ...lane, front: first + 2n }])
    expect(await from(first + 3n)).toEqual({ lanes: [], lastId: null })
    await session.giveBack()
    session.release(false)
  })

  test('says of a mark what it says, and which server has it', async () => {
    await world.mark({ keys: ['1'], source: 'author', op: 'delete', origin: '12', target: 'a-2' })
    await world.mark({ keys: null, op: 'truncate' })
    const { session, claim } = await claims()
    expect(claim).toMatchObject({
      document: DOCUMENT,
      lane: 0,
      marks: [
        { source: 'author', keys: ['1'], op: 'delete', origin: '12', target: 'a-2', runId: null },
        { source: '', keys: null, op: 'truncate', origin: '7', target: null },
      ],
    })
    const work = await world.store.openWork()
    expect((await work.drawVersion()).server).toBe(claim?.server)
    expect((await work.readRows(world.plan, [], 1_000)).server).toBe(claim?.server)
    work.release(false)
    session.release(true)
  })

  test('has the marks again when the connection is given up, or cut off', async () => {
    await world.mark({})
    const first = await claims()
    await first.session.assertClaimLives()
    first.session.release(true)
    await expect
      .poll(async () => {
        const { session, keys } = await claims()
        await session.giveBack()
        session.release(false)
        return keys
      })
      .toEqual(['1'])
    const second = await claims()
    await world.cut()
    const error = await second.session.assertClaimLives().then(
      () => null,
      (reason: unknown) => reason,
    )
    expect(obstacleOf(error)).toMatchObject({ scope: 'postgres', type: 'unreachable' })
    await second.session.giveBack()
    second.session.release(true)
    expect((await world.marks()).length).toBe(1)
    const third = await claims()
    expect(third.keys).toEqual(['1'])
    await third.session.giveBack()
    await expect(third.session.assertClaimLives()).rejects.toThrow('the claim is gone')
    third.session.release(true)
  })

  test('settles: marks are gone, what is given back returns to its lane, what is parked to the third', async () => {
    await world.mark({ keys: ['1', '2', '3'], lane: 1, op: 'delete', origin: '9' })
    const { session, claim } = await claims({ lane: 1 })
    const key = (name: string, target: string | null): BatchKey => ({
      ...{ key: name, origin: '9', runId: null, op: 'delete', ageMs: claim?.marks[0]?.ageMs ?? 0 },
      target,
    })
    const givenBack = [key('2', null), key('4', null)]
    await session.settle(settlement({ lane: 1, givenBack, parked: [key('3', 'a-2')] }), settling)
    session.release(false)
    const same = { source: '', op: 'delete', origin: '9' }
    expect(await world.marks()).toEqual([
      { ...same, lane: 1, keys: ['2', '4'], target: null },
      { ...same, lane: 2, keys: ['3'], target: 'a-2' },
    ])
  })

  test('draws versions that rise, moves them up and never down', async () => {
    const work = await world.store.openWork()
    const first = await work.drawVersion()
    const second = await work.drawVersion()
    expect(second.version).toBe(first.version + 1n)
    expect(await work.currentVersion()).toBe(second.version)
    const far = second.version + 10_000_000_000n
    await work.raiseVersionFloor(far)
    await world.store.raiseVersionFloor(5n)
    expect(await work.currentVersion()).toBe(far)
    expect((await work.drawVersion()).version).toBe(far + 1n)
    work.release(false)
  })

  test('reads the targets of a document that may be worked on, the live one first', async () => {
    await world.target('a-2', 'building')
    await world.target('a-1', 'live')
    await world.target('a-0', 'kept')
    const work = await world.store.openWork()
    const asked = { document: DOCUMENT, hash: 'h', tenants: false }
    const target = (index: string, role: string) => ({
      index,
      alias: 'articles',
      uuid: `uuid of ${index}`,
      role,
      releasedAt: null,
    })
    const all = [target('a-1', 'live'), target('a-0', 'kept'), target('a-2', 'building')]
    expect(await work.readWorkableTargets(asked)).toEqual(all)
    expect(await work.readTargetsOf(DOCUMENT, ['articles'])).toEqual(all)
    expect(await work.readTargetsOf(DOCUMENT, ['others'])).toEqual([])
    expect(await work.readWorkableTargets({ ...asked, hash: 'another' })).toBeNull()
    await world.pause()
    expect(await work.readWorkableTargets(asked)).toBeNull()
    work.release(false)
  })

  test('reads rows by their keys, and which of them link values lead to', async () => {
    await world.article('1', 'one', '7')
    await world.article('2', 'two', '7')
    await world.article('3', 'three', '8')
    const work = await world.store.openWork()
    const keys = ['3', '9', '1'].map((key) => ({ key, id: key, parts: [key] }))
    const { rows } = await work.readRows(world.plan, keys, 1_000)
    expect(
      rows
        .map(([n, key, json, problem]) => [n, key, JSON.parse(json.toString()), problem])
        .toSorted(([a], [b]) => Number(a) - Number(b)),
    ).toEqual([
      [1, '3', { id: 3, title: 'three', author: null }, null],
      [3, '1', { id: 1, title: 'one', author: null }, null],
    ])
    const most = { ofEach: 2, inAll: 3, timeoutMs: 1_000 }
    const roots = await work.readRoots(expansion, [['8'], ['6'], ['7']], most)
    expect(roots.rows.map(([n, key]) => `${n} ${key}`).toSorted()).toEqual(['1 3', '3 1', '3 2'])
    const cut = await work.readRoots(expansion, [['7'], ['8']], { ...most, ofEach: 1, inAll: 1 })
    expect(cut.rows.map(([n]) => Number(n))).toEqual([1])
    await work.castLink(expansion, ['12'], 1_000)
    await expect(work.castLink(expansion, ['twelve'], 1_000)).rejects.toMatchObject({ code: '22P02' })
    work.release(false)
  })

  test('turns marks of a related row into marks of their documents, those that are still free', async () => {
    await world.article('1', 'one', '7')
    await world.article('2', 'two', '8')
    await world.article('3', 'three', '9')
    await world.mark({ source: 'author', keys: ['7'], origin: '12' })
    await world.mark({ source: 'author', keys: ['8'], origin: '9' })
    const { session, claim } = await claims()
    const marks = claim?.marks ?? []
    const turn = { document: DOCUMENT, lane: 0, timeoutMs: 1_000 } as const
    const large = [{ marks, expansion, links: [['7'], ['8']] }]
    expect(await session.markRoots({ ...turn, large })).toBe(2)
    expect(await session.markRoots({ ...turn, large })).toBe(0)
    session.release(false)
    expect(await world.marks()).toEqual([
      { lane: 1, source: '', keys: ['1', '2'], op: 'update', origin: '9', target: null },
    ])
  })

  test('asks for a verify in place of marks, and in a settlement that commits', async () => {
    await world.mark({})
    const { session, claim } = await claims()
    await session.giveBack()
    const ids = claim?.marks.map(({ id }) => id) ?? []
    const verify = { document: DOCUMENT, lane: 0, ids, reason: 'too many', origin: '7' } as const
    expect(await session.verifyInstead(verify)).toBe(1)
    session.release(false)
    expect([await world.rewrites(), await world.marks()]).toEqual([['too many'], []])
    await world.empty()
    await world.mark({})
    const undone = await claims()
    await undone.session.requestRewrite({ document: DOCUMENT, reason: 'undone' })
    await undone.session.giveBack()
    undone.session.release(false)
    expect(await world.rewrites()).toEqual([])
  })

  test('tries, releases and forgets what waits for an index', async () => {
    await world.target('a-1', 'live')
    await world.mark({ lane: 2, target: 'a-1', keys: ['1', '2'] })
    await world.mark({ lane: 2, target: 'a-1', keys: ['3'] })
    await world.mark({ lane: 2, target: 'gone', keys: ['4'] })
    await world.mark({ lane: 2, keys: ['5'] })
    expect(await world.queue.parkedTargets([DOCUMENT])).toEqual([
      { document: DOCUMENT, index: 'a-1', registered: true, releasedAt: null },
      { document: DOCUMENT, index: 'gone', registered: false, releasedAt: null },
    ])
    const trial = await claims({ lane: 2, target: 'a-1' })
    expect(trial.keys).toEqual(['1', '2'])
    expect(await world.queue.release('a-1', 100)).toBe(1)
    await trial.session.giveBack()
    trial.session.release(false)
    expect(await world.queue.release('a-1', 100)).toBe(2)
    expect(await world.queue.release('a-1', 100)).toBe(0)
    expect([await world.queue.forget('a-1'), await world.queue.forget('gone')]).toEqual([0, 1])
    expect((await world.marks()).map(({ lane, keys }) => `${lane} ${keys}`)).toEqual(['0 1,2', '0 3', '2 5'])
  })
})
