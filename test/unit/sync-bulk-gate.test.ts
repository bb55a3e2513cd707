import { expect, test } from 'vitest'
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

/** Lets every promise that can go on do so. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('bulk work waits for its place, single edits and trials do not', async () => {
  const gate = new BulkGate(() => 1)
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
  const gate = new BulkGate(() => 1)
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
  let most = 1
  const gate = new BulkGate(() => most)
  const requests = [request(), request(), request(), request()]
  const all = requests.map(({ send }) => gate.pass(1, send))
  most = 2
  requests[0]?.end()
  await settled()
  expect(requests.map(({ state }) => state.began)).toEqual([true, true, true, false])
  for (const { end } of requests) end()
  await Promise.all(all)
})
