import { describe, expect, test } from 'vitest'
import type { Transform } from '../../src/config/types.ts'
import type { AddressedKey } from '../../src/sync/addressed.ts'
import { plainJson } from '../../src/sync/plain-json.ts'
import { transformDocuments } from '../../src/sync/transform.ts'
import type { LoadedDocument } from '../../src/sync/types.ts'

const key = (id: string): AddressedKey => ({
  key: id,
  parts: [id],
  id,
  alias: 'd',
  routing: null,
  origin: '7',
  target: null,
  runId: null,
  ageMs: 0,
  op: 'update',
})

/** What `transform` makes of these documents, by id. */
async function made(
  transform: Transform,
  texts: Readonly<Record<string, string>>,
  { over = (): boolean => false, limitMs = 10_000 } = {},
) {
  const keys = Object.keys(texts).map(key)
  const documents = new Map<string, LoadedDocument>(
    Object.entries(texts).map(([id, json]) => [id, { key: id, json: Buffer.from(json), problem: null }]),
  )
  const result = await transformDocuments({ document: 'd', transform, over }, keys, documents, limitMs)
  return {
    documents: Object.fromEntries([...result.documents].map(([id, { json }]) => [id, json && String(json)])),
    failures: result.failures,
    left: result.left.map(({ id }) => id),
  }
}

describe('transform', () => {
  test('gets parsed JSON, the document’s name and its id; what it returns is sent', async () => {
    const seen: unknown[] = []
    const transform: Transform = (document, context) => {
      seen.push([document, context])
      return { ...document, more: [1, null, { a: true }] }
    }
    const { documents } = await made(transform, { 1: '{"n": 9007199254740993, "f": 0.5, "s": "ä\\n"}' })
    expect(seen).toEqual([
      [
        { n: '9007199254740993', f: 0.5, s: 'ä\n' },
        { document: 'd', id: '1' },
      ],
    ])
    expect(documents).toEqual({
      1: '{"n":"9007199254740993","f":0.5,"s":"ä\\n","more":[1,null,{"a":true}]}',
    })
  })

  test('may be async, and may leave a document out', async () => {
    const { documents } = await made(async ({ n }) => (n === 1 ? null : { n }), {
      a: '{"n":1}',
      b: '{"n":2}',
    })
    expect(documents).toEqual({ a: null, b: '{"n":2}' })
  })

  test.each<[string, Transform, string]>([
    [
      'throws',
      () => {
        throw new Error('Cannot read properties of undefined')
      },
      'transform threw: Cannot read properties of undefined',
    ],
    [
      'throws with a value',
      () => {
        throw new Error('bad name "Ada"')
      },
      'transform threw: bad name',
    ],
    [
      'throws no error',
      () => {
        throw 'no'
      },
      'transform threw: no',
    ],
    ['rejects', () => Promise.reject(new Error('no')), 'transform threw: no'],
    ['never ends', () => new Promise(() => {}), 'transform did not end within 0.02 s'],
    [
      'returns nothing',
      () => undefined as never,
      'transform returned undefined, and needs a plain object or null',
    ],
    ['returns an array', () => [] as never, 'transform returned an array, and needs a plain object or null'],
    [
      'returns a bigint inside',
      () => ({ a: { b: 1n } }),
      'transform returned a bigint at "b", which JSON does not have',
    ],
  ])('that %s fails that document alone', async (_, wrong, reason) => {
    const transform: Transform = (document, context) =>
      context.id === 'b' ? wrong(document, context) : document
    const { documents, failures } = await made(transform, { a: '{}', b: '{}', c: '{}' }, { limitMs: 20 })
    expect(failures).toEqual([{ key: 'b', id: 'b', type: expect.stringMatching(/^transform_/), reason }])
    expect([documents.a, documents.c]).toEqual(['{}', '{}'])
  })

  test('runs for sixteen documents at once, and begins nothing when the claim’s life is over', async () => {
    let running = 0
    let most = 0
    let begun = 0
    const transform: Transform = async (document) => {
      begun += 1
      running += 1
      most = Math.max(most, running)
      await Promise.resolve()
      running -= 1
      return document
    }
    const texts = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${n}`, '{}']))
    const { left } = await made(transform, texts, { over: () => begun >= 40 })
    expect([most, begun, left.length]).toEqual([16, 40, 60])
  })

  test('does not see what Elasticsearch cannot hold anyway, and is called once for a row of two keys', async () => {
    const calls: string[] = []
    const transform: Transform = (document, { id }) => {
      calls.push(id)
      return document
    }
    const row = { key: 'b', json: Buffer.from('{}'), problem: null }
    const documents = new Map<string, LoadedDocument>([
      ['a', { key: 'a', json: Buffer.from('{}'), problem: 'a date' }],
      ['old', row],
      ['b', row],
    ])
    const keys = [key('a'), { ...key('old'), id: 'b' }, key('b')]
    await transformDocuments({ document: 'd', transform, over: () => false }, keys, documents)
    expect(calls).toEqual(['b'])
  })

  test('does not see what has no row, or no document; what it makes of a row is there under each of its keys', async () => {
    const row = { key: 'b', json: Buffer.from('{}'), problem: null }
    const documents = new Map<string, LoadedDocument>([
      ['none', { key: 'none', json: null, problem: null }],
      ['old', row],
      ['b', row],
    ])
    const keys = [key('gone'), key('none'), { ...key('old'), id: 'b' }, key('b')]
    let calls = 0
    const transform: Transform = (_, { id }) => ({ id, call: ++calls })
    const result = await transformDocuments({ document: 'd', transform, over: () => false }, keys, documents)
    expect([...result.documents].map(([name, { json }]) => [name, json && String(json)])).toEqual([
      ['none', null],
      ['old', '{"id":"b","call":1}'],
      ['b', '{"id":"b","call":1}'],
    ])
    expect([result.failures, result.left]).toEqual([[], []])
  })

  test('of a row of two keys fails for both', async () => {
    const row = { key: 'b', json: Buffer.from('{}'), problem: null }
    const documents = new Map([
      ['old', row],
      ['b', row],
    ])
    const transforming = { document: 'd', transform: () => 'text' as never, over: () => false }
    const { failures } = await transformDocuments(transforming, [key('old'), key('b')], documents)
    expect(failures.map((failure) => failure.key)).toEqual(['old', 'b'])
  })

  test('that is none, or has nothing to do, leaves all as it is', async () => {
    const documents = new Map([['a', { key: 'a', json: Buffer.from('{}'), problem: null }]])
    const none = await transformDocuments(null, [key('a')], documents)
    expect(none).toEqual({ documents, failures: [], left: [] })
    const over = { document: 'd', transform: () => null, over: () => true }
    const nothing = new Map<string, LoadedDocument>()
    expect(await transformDocuments(over, [key('a')], nothing)).toEqual({
      documents: nothing,
      failures: [],
      left: [],
    })
  })

  test('that throws after its time is over disturbs nobody', async () => {
    let thrown = false
    const late: Transform = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      thrown = true
      throw new Error('late')
    }
    const { failures } = await made(late, { a: '{}' }, { limitMs: 1 })
    expect(failures).toMatchObject([{ type: 'transform_timeout' }])
    // Nobody waits for it any more: a rejection without anyone to hear it would end the process.
    await expect.poll(() => thrown, { timeout: 30_000 }).toBe(true)
  })
})

describe('a value as JSON', () => {
  class Point {
    readonly x = 1
  }
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  let deep: object = {}
  for (let n = 0; n < 200_000; n++) deep = { deep }

  test.each<[unknown, string]>([
    [{ a: undefined, b: 1 }, '{"b":1}'],
    [{ at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
    [Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    [{ s: '\ud800\n' }, '{"s":"\\ud800\\n"}'],
  ])('%o: %s', (value, json) => {
    expect(plainJson(value)).toEqual({ json, problem: null })
  })

  test.each<[unknown, string]>([
    [{ a: () => 1 }, 'a function at "a", which JSON does not have'],
    [{ a: [Symbol('x')] }, 'a symbol at "0", which JSON does not have'],
    [{ a: [undefined] }, 'undefined at "0", which JSON does not have'],
    [{ a: Number.NaN }, 'NaN at "a", which JSON does not have'],
    [{ a: new Map() }, 'a Map at "a", which JSON does not have'],
    [{ a: new Point() }, 'a Point at "a", which JSON does not have'],
    [{ ['k'.repeat(200)]: Number.NaN }, `NaN at "${'k'.repeat(119)}, which JSON does not have`],
    [{ a: new (class {})() }, 'an object of a class at "a", which JSON does not have'],
    [
      { a: Object.create({ constructor: { name: 7 } }) },
      'an object of a class at "a", which JSON does not have',
    ],
    [{ a: 7n }, 'a bigint at "a", which JSON does not have'],
    [cycle, 'an object that contains itself'],
    [deep, 'an object nested too deeply'],
    [[1], 'an array, and needs a plain object or null'],
    [undefined, 'undefined, and needs a plain object or null'],
    [new Point(), 'a Point, and needs a plain object or null'],
    ['text', 'a string, and needs a plain object or null'],
  ])('%o: %s', (value, problem) => {
    expect(plainJson(value)).toEqual({ json: null, problem })
  })
})
