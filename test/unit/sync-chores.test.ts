import { afterEach, expect, test } from 'vitest'
import { type Chore, Chores } from '../../src/sync/chores.ts'
import { eventually } from '../support/eventually.ts'

let chores: Chores | undefined
afterEach(() => chores?.stop())

async function start(all: readonly Chore[], onError: (error: unknown, chore: string) => void = () => {}) {
  chores = new Chores(all, onError)
  await chores.start()
}

/** Resolves when it is told to. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

test('what is due at the same beat takes turns, in the order of the list', async () => {
  const order: string[] = []
  let together = 0
  let most = 0
  const chore = (name: string): Chore => ({
    name,
    everyMs: 5,
    run: async () => {
      order.push(name)
      most = Math.max(most, ++together)
      await Promise.resolve()
      together--
    },
  })
  await start([chore('a'), chore('b'), chore('c')])
  await eventually(() => expect(order.length).toBeGreaterThan(12))
  expect(order.slice(0, 12).join('')).toBe('abcabcabcabc')
  expect(most).toBe(1)
})

test('one that hangs is left running, once, and holds up no other', async () => {
  const hung = gate()
  let begun = 0
  let others = 0
  const first = { name: 'first', everyMs: 5, run: async () => void others++ }
  // Its first run is part of the start, which waits for it.
  const hangs = { name: 'hangs', everyMs: 5, run: async () => (begun++ === 0 ? undefined : hung.opened) }
  const last = { name: 'last', everyMs: 5, run: async () => void others++ }
  await start([first, hangs, last])
  await eventually(() => expect(others).toBeGreaterThan(12))
  expect(begun).toBe(2)
  let stopped = false
  const stop = chores?.stop().then(() => {
    stopped = true
  })
  await new Promise(setImmediate)
  expect(stopped).toBe(false)
  hung.open()
  await stop
})

test('one that fails is reported and comes again', async () => {
  const errors: string[] = []
  const fails = { name: 'fails', everyMs: 5, run: () => Promise.reject(new Error('no')) }
  await start([fails], (error, chore) => errors.push(`${chore}: ${String(error)}`))
  await eventually(() => expect(errors.length).toBeGreaterThan(2))
  expect(new Set(errors)).toEqual(new Set(['fails: Error: no']))
})

test('a longer interval is kept', async () => {
  let often = 0
  let seldom = 0
  await start([
    { name: 'often', everyMs: 5, run: async () => void often++ },
    { name: 'seldom', everyMs: 86_400_000, run: async () => void seldom++ },
  ])
  await eventually(() => expect(often).toBeGreaterThan(5))
  expect(seldom).toBe(1)
})

test('nothing runs after the stop, and it starts anew', async () => {
  let runs = 0
  let stops = 0
  const chore = {
    name: 'counts',
    everyMs: 5,
    run: async () => void runs++,
    stop: async () => void stops++,
  }
  await start([chore])
  await chores?.stop()
  const then = runs
  let beats = 0
  const others = new Chores([{ name: 'beats', everyMs: 5, run: async () => void beats++ }], () => {})
  await others.start()
  await eventually(() => expect(beats).toBeGreaterThan(5))
  await others.stop()
  expect([runs, stops]).toEqual([then, 1])
  await chores?.start()
  await eventually(() => expect(runs).toBeGreaterThan(then + 1))
})
