import type { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HttpError } from '../../src/admin/errors.ts'
import { Feed } from '../../src/admin/feed.ts'
import type { Snapshot } from '../../src/admin/snapshot.ts'

/** A feed by a clock of the test's, whose snapshots are counted. */
function feedOf(read: () => Promise<number> = counter()) {
  const errors: unknown[] = []
  const feed = new Feed({
    read: async () => ({ at: String(await read()) }) as Snapshot,
    log: { error: (entry: unknown) => errors.push(entry) },
  })
  return { feed, errors }
}

function counter() {
  let reads = 0
  return async () => {
    reads += 1
    return reads
  }
}

/** Which snapshots a viewer was told, by their numbers. */
function told(stream: Readable): string[] {
  const numbers: string[] = []
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    numbers.push(...[...text.matchAll(/data: \{"at":"(\d+)"\}\n\n/g)].map(([, n]) => n ?? ''))
  })
  return numbers
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('the feed', () => {
  test('reads once for all who watch, every two seconds, and not while nobody does', async () => {
    const read = vi.fn(counter())
    const { feed } = feedOf(read)
    await pass(10_000)
    expect(read).not.toHaveBeenCalled()
    const [first, second] = [feed.watch(), feed.watch()]
    const seen = [told(first), told(second)]
    await pass(4_100)
    expect(seen).toEqual([
      ['1', '2', '3'],
      ['1', '2', '3'],
    ])
    first.destroy()
    second.destroy()
    await pass(2_000)
    expect(feed.viewers).toBe(0)
    await pass(60_000)
    expect(read).toHaveBeenCalledTimes(3)
    const third = told(feed.watch())
    await pass(100)
    expect(third).toEqual(['4'])
  })

  test('who comes between two snapshots is told the last one at once', async () => {
    const { feed } = feedOf()
    told(feed.watch())
    await pass(500)
    const late = told(feed.watch())
    await pass(1)
    expect(late).toEqual(['1'])
  })

  test('a slow viewer misses some and never has more than one waiting; who takes nothing for a minute is let go', async () => {
    const { feed } = feedOf()
    const stream = feed.watch()
    await pass(30_000)
    const seen = told(stream)
    await pass(1)
    expect(seen).toEqual(['1'])
    await pass(2_000)
    expect(seen).toHaveLength(2)
    expect(feed.viewers).toBe(1)
    stream.pause()
    await pass(70_000)
    expect(feed.viewers).toBe(0)
  })

  test('reading that is slow is done more rarely, and of an outage the end is seen', async () => {
    const slow = (ms: number) => vi.fn(() => new Promise<number>((resolve) => setTimeout(resolve, ms, 1)))
    const half = slow(500)
    told(feedOf(half).feed.watch())
    await pass(5_400)
    expect(half).toHaveBeenCalledTimes(1)
    await pass(200)
    expect(half).toHaveBeenCalledTimes(2)
    const down = slow(3_000)
    told(feedOf(down).feed.watch())
    await pass(13_100)
    expect(down).toHaveBeenCalledTimes(2)
  })

  test('a fault in reading is logged, and does not end it', async () => {
    const read = counter()
    const { feed, errors } = feedOf(async () => {
      const n = await read()
      if (n === 1) throw new Error('of ours')
      return n
    })
    const seen = told(feed.watch())
    await pass(2_100)
    expect(seen).toEqual(['2'])
    expect(errors).toEqual([{ reason: 'of ours' }])
  })

  test('no more than twenty watch at a time', async () => {
    const { feed } = feedOf()
    const streams = Array.from({ length: 20 }, () => feed.watch())
    expect(() => feed.watch()).toThrow(HttpError)
    streams[0]?.destroy()
    await pass(1)
    expect(() => feed.watch()).not.toThrow()
  })

  test('ends every stream when it is closed, and begins none after', async () => {
    const { feed } = feedOf()
    const ended = vi.fn()
    const stream = feed.watch().on('end', ended)
    told(stream)
    await pass(100)
    feed.close()
    await pass(1)
    expect(ended).toHaveBeenCalled()
    const after = feed.watch().on('end', ended)
    told(after)
    await pass(1)
    expect(ended).toHaveBeenCalledTimes(2)
  })
})
