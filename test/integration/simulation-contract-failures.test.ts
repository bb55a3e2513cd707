import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Failure, Settlement } from '../../src/queue/types.ts'
import {
  type ClaimRequest,
  claimOf,
  DOCUMENT,
  type StoreWorld,
  settlement,
  settling,
  storeWorlds,
} from './simulation-store-world.ts'

/** The failures of the store that the simulation is built on: the same cases, of it and of the real one. */

const failure = (key: string, change: Partial<Failure> = {}): Failure => ({
  key,
  id: key,
  target: 'a-1',
  origin: '7',
  op: 'update',
  type: 'why',
  reason: 'because',
  dead: false,
  ...change,
})

describe.each(storeWorlds)('the store %s', (_, open) => {
  let world: StoreWorld
  beforeAll(async () => {
    world = await open()
  })
  afterAll(() => world?.drop())
  beforeEach(() => world.empty())

  const claims = (request: ClaimRequest = {}) => claimOf(world, request)
  /** A batch of one mark that comes to this. */
  const settles = async (change: Partial<Settlement>, maxRetries = 3) => {
    await world.mark({ keys: ['x'] })
    const { session } = await claims()
    await session.settle(settlement(change), { ...settling, maxRetries })
    session.release(false)
  }

  test('counts attempts of failures until they are dead, and keeps the oldest origin', async () => {
    const known = { key: '1', target: 'a-1', type: 'why', op: 'update' }
    await settles({ version: 10n, failures: [failure('1')] })
    expect(await world.failures()).toEqual([
      { ...known, version: 10n, state: 'retrying', attempts: 1, origin: '7' },
    ])
    await settles({ version: 11n, failures: [failure('1', { origin: '5' })] })
    await settles({ version: 12n, failures: [failure('1', { origin: '100' })] })
    expect(await world.failures()).toEqual([
      { ...known, version: 12n, state: 'dead', attempts: 3, origin: '5' },
    ])
    // Tried anew: its attempts begin anew.
    await settles({ version: 13n, failures: [failure('1')] })
    expect(await world.failures()).toMatchObject([{ version: 13n, state: 'retrying', attempts: 1 }])
    await settles({ version: 14n, failures: [failure('1', { dead: true })] })
    expect(await world.failures()).toMatchObject([{ version: 14n, state: 'dead', attempts: 2 }])
    await settles({ version: 20n, failures: [failure('2')] }, 1)
    expect(await world.failures()).toMatchObject([{ key: '1' }, { key: '2', state: 'dead', attempts: 1 }])
  })

  test('leaves failures of newer versions alone, but for their origin', async () => {
    await settles({ version: 10n, failures: [failure('1')] })
    await settles({ version: 9n, failures: [failure('1', { type: 'older', origin: '3' })] })
    expect(await world.failures()).toMatchObject([{ version: 10n, type: 'why', attempts: 1, origin: '3' }])
    await settles({ version: 9n, succeeded: new Map([['a-1', ['1']]]) })
    expect(await world.failures()).toHaveLength(1)
    await settles({ version: 10n, succeeded: new Map([['a-2', ['1']]]) })
    expect(await world.failures()).toHaveLength(1)
    await settles({ version: 10n, succeeded: new Map([['a-1', ['1']]]) })
    expect(await world.failures()).toEqual([])
  })

  test('takes what cannot be read and what an index refuses for each other’s end', async () => {
    await settles({
      version: 10n,
      failures: [failure('1', { origin: '4' }), failure('1', { target: 'a-2' })],
    })
    await settles({ version: 11n, failures: [failure('1', { target: '' })] })
    expect(await world.failures()).toMatchObject([{ target: '', version: 11n, origin: '4' }])
    await settles({ version: 12n, failures: [failure('1')] })
    expect(await world.failures()).toMatchObject([{ target: 'a-1', version: 12n, origin: '4' }])
    await settles({ version: 13n, failures: [failure('2', { target: '' })] })
    await settles({ version: 14n, succeeded: new Map([['a-2', ['2']]]) })
    expect((await world.failures()).map(({ key }) => key)).toEqual(['1'])
  })

  test('marks due failures again, once', async () => {
    await settles({
      version: 10n,
      failures: [
        failure('1', { op: 'delete' }),
        failure('2', { op: 'delete' }),
        failure('3', { dead: true }),
      ],
    })
    expect(await world.queue.requeueDueFailures()).toBe(0)
    await world.makeFailuresDue()
    expect(await world.queue.requeueDueFailures()).toBe(2)
    expect(await world.queue.requeueDueFailures()).toBe(0)
    expect(await world.marks()).toEqual([
      { lane: 0, source: '', keys: ['1', '2'], op: 'delete', origin: '7', target: 'a-1' },
    ])
  })

  test('lets one settlement that records failures pass at a time', async () => {
    await world.mark({ keys: ['1'] })
    await world.mark({ keys: ['2'] })
    const first = await claims({ maxKeys: 1 })
    const second = await claims({ maxKeys: 1 })
    await first.session.lockFailures(DOCUMENT)
    let passed = false
    const settled = second.session
      .settle(settlement({ version: 11n, succeeded: new Map([['a-1', ['1']]]) }), settling)
      .then(() => {
        passed = true
      })
    await first.session.settle(
      settlement({ version: 10n, failures: [failure('1', { dead: true })] }),
      settling,
    )
    await settled
    expect({ passed, failures: await world.failures() }).toEqual({ passed: true, failures: [] })
    first.session.release(false)
    second.session.release(false)
  })
})
