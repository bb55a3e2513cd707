import { describe, expect, test } from 'vitest'
import { BulkGate } from '../../src/sync/bulk-gate.ts'

/** A request that is under way until it is ended. */
function request() {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const state = { began: false }
  const send = () => {
    state.began = true
    return promise
  }
  return { state, send, end: resolve, fail: reject }
}

/** A gate whose room is fixed, or changed by the test. */
function gateOf(room: { most: number; limit?: number }, clock = { now: 0 }) {
  const { limit } = room
  return new BulkGate({ most: () => room.most, limit: () => limit ?? room.most, now: () => clock.now })
}

/** Lets every promise that can go on do so. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('bulk work waits for its place, single edits and trials do not', async () => {
  const gate = gateOf({ most: 1 })
  const [first, second, edit, trial] = [request(), request(), request(), request()]
  const all = [
    gate.pass(1, first.send),
    gate.pass(1, second.send),
    gate.pass(0, edit.send),
    gate.pass(2, trial.send),
  ]
  await settled()
  expect([first, second, edit, trial].map(({ state }) => state.began)).toEqual([true, false, true, true])
  first.end()
  await settled()
  expect(second.state.began).toBe(true)
  for (const { end } of [second, edit, trial]) end()
  await Promise.all(all)
})

test('a request that fails gives its place back', async () => {
  const gate = gateOf({ most: 1 })
  const [first, second] = [request(), request()]
  const failed = gate.pass(1, first.send)
  const waiting = gate.pass(1, second.send)
  first.fail(new Error('no'))
  await expect(failed).rejects.toThrow('no')
  await settled()
  expect(second.state.began).toBe(true)
  second.end()
  await waiting
})

test('when there is more room, all that fit go on', async () => {
  const room = { most: 1 }
  const gate = gateOf(room)
  const requests = [request(), request(), request(), request()]
  const all = requests.map(({ send }) => gate.pass(1, send))
  room.most = 2
  requests[0]?.end()
  await settled()
  expect(requests.map(({ state }) => state.began)).toEqual([true, true, true, false])
  for (const { end } of requests) end()
  await Promise.all(all)
})

describe('a burst of bulk work beside single edits', () => {
  /** Requests of bulk work that ask for their place in this order, and how many have it. */
  function bulkOf(gate: BulkGate, count: number) {
    const requests = Array.from({ length: count }, request)
    const all = requests.map(({ send }) => gate.pass(1, send))
    const under = async () => {
      await settled()
      return requests.filter(({ state }) => state.began).length
    }
    const end = (n: number) => requests[n]?.end()
    const endAll = async () => {
      for (const { end: ended } of requests) ended()
      await Promise.all(all)
    }
    return { under, end, endAll }
  }

  test('takes all places while no edit is at Elasticsearch', async () => {
    const gate = gateOf({ most: 1, limit: 2 })
    const bulk = bulkOf(gate, 3)
    expect(await bulk.under()).toBe(2)
    await bulk.endAll()
  })

  test('leaves an edit that is there its place, and takes it when the edit is answered', async () => {
    const gate = gateOf({ most: 1, limit: 2 })
    const edit = request()
    const edited = gate.pass(0, edit.send)
    const bulk = bulkOf(gate, 3)
    expect(await bulk.under()).toBe(1)
    edit.end()
    await edited
    expect(await bulk.under()).toBe(2)
    await bulk.endAll()
  })

  test('gives way when it has lasted for two seconds, until there was a pause', async () => {
    const clock = { now: 0 }
    const gate = gateOf({ most: 1, limit: 2 }, clock)
    const first = bulkOf(gate, 1)
    clock.now = 2_000
    const lasting = bulkOf(gate, 2)
    expect([await first.under(), await lasting.under()]).toEqual([1, 0])
    await first.endAll()
    expect(await lasting.under()).toBe(1)
    await lasting.endAll()
    clock.now = 2_249
    const soon = bulkOf(gate, 2)
    expect(await soon.under()).toBe(1)
    await soon.endAll()
    clock.now = 2_499
    const next = bulkOf(gate, 2)
    expect(await next.under()).toBe(2)
    await next.endAll()
  })

  test('sends half as much at a time beside edits, and what lasts does not', async () => {
    const clock = { now: 0 }
    const room = { most: 1, limit: 2 }
    const gate = gateOf(room, clock)
    const first = bulkOf(gate, 1)
    expect([gate.bytes(1, 1001), gate.bytes(0, 1001)]).toEqual([501, 1001])
    room.most = 2
    expect(gate.bytes(1, 1001)).toBe(1001)
    room.most = 1
    clock.now = 2_000
    expect(gate.bytes(1, 1001)).toBe(1001)
    await first.endAll()
  })

  test('lasts on when one request follows another, however short each is', async () => {
    const clock = { now: 0 }
    const gate = gateOf({ most: 1, limit: 2 }, clock)
    for (; clock.now < 2_000; clock.now += 200) await bulkOf(gate, 1).endAll()
    const bulk = bulkOf(gate, 2)
    expect(await bulk.under()).toBe(1)
    await bulk.endAll()
  })
})
