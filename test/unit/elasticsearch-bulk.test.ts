import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutByBytes, encodeBulk, idProblem, operationBytes } from '../../src/elasticsearch/bulk.ts'
import type { Operation } from '../../src/elasticsearch/types.ts'

const operations: fc.Arbitrary<Operation> = fc
  .record({
    kind: fc.constantFrom('index' as const, 'delete' as const),
    index: fc.constantFrom('cities-20260801030000-k3x9qa', 'städte-20260801030000-aaaaaa'),
    id: fc.string({ unit: 'grapheme', minLength: 1 }),
    routing: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
    pipeline: fc.constantFrom(undefined, undefined, 'enrich', 'ände"re'),
    value: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.string({ unit: 'grapheme-ascii' })),
  })
  .map(({ kind, index, id, routing, pipeline, value }) => ({
    kind,
    index,
    id,
    key: id,
    ...(routing === undefined ? {} : { routing }),
    ...(kind === 'index' ? { body: Buffer.from(JSON.stringify({ value })) } : {}),
    ...(kind === 'index' && pipeline !== undefined ? { pipeline } : {}),
  }))
const versions = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n })

describe('a bulk body', () => {
  it('is an action line for each operation, and its document as it was', () => {
    const body = encodeBulk(
      [
        { kind: 'index', index: 'cities-1', id: '7', key: '7', body: Buffer.from('{"n": 1.10}') },
        { kind: 'delete', index: 'cities-1', id: 'a"b', key: 'a', routing: 'x' },
      ],
      9223372036854775807n,
    )
    expect(body.toString()).toBe(
      '{"index":{"_index":"cities-1","version":9223372036854775807,"version_type":"external_gte","_id":"7"}}\n' +
        '{"n": 1.10}\n' +
        '{"delete":{"_index":"cities-1","version":9223372036854775807,"version_type":"external_gte","_id":"a\\"b","routing":"x"}}\n',
    )
  })

  it('holds every operation, in order, on lines of its own', () => {
    fc.assert(
      fc.property(fc.array(operations), versions, (some, version) => {
        const lines = encodeBulk(some, version).toString().split('\n')
        expect(lines.pop()).toBe('')
        for (const { kind, index, id, routing, pipeline, body } of some) {
          const line = lines.shift() ?? ''
          expect(line).toContain(`"version":${version},`)
          const { version: _rounded, ...action } = JSON.parse(line)[kind]
          expect(action).toEqual({
            _index: index,
            version_type: 'external_gte',
            _id: id,
            ...(routing === undefined ? {} : { routing }),
            ...(pipeline === undefined ? {} : { pipeline }),
          })
          if (kind === 'index') expect(lines.shift()).toBe(String(body))
        }
        expect(lines).toEqual([])
      }),
    )
  })
})

it('an index operation without a document is sent with an empty one: the next line would be taken for it', () => {
  const lines = encodeBulk([{ kind: 'index', index: 'i', id: '1', key: '1' }], 7n)
    .toString()
    .split('\n')
  expect(lines.slice(1)).toEqual(['{}', ''])
})

describe('cutting by bytes', () => {
  it('keeps all operations, in order, and every piece within the limit unless it is one operation', () => {
    fc.assert(
      fc.property(
        fc.array(operations),
        fc.integer({ min: 1, max: 2_000 }),
        versions,
        (some, limit, version) => {
          const pieces = cutByBytes(some, limit)
          expect(pieces.flat()).toEqual(some)
          for (const piece of pieces) {
            expect(piece.length).toBeGreaterThan(0)
            if (piece.length > 1) expect(encodeBulk(piece, version).byteLength).toBeLessThanOrEqual(limit)
          }
        },
      ),
    )
  })

  it('counts no fewer bytes than an operation takes, and few more', () => {
    fc.assert(
      fc.property(operations, (operation) => {
        const { kind, index, id, routing, pipeline, body } = operation
        const address = {
          _index: index,
          version: '',
          version_type: 'external_gte',
          _id: id,
          routing,
          pipeline,
        }
        const action = JSON.stringify({ [kind]: address }).replace('""', '9223372036854775807')
        const bytes = Buffer.byteLength(body === undefined ? `${action}\n` : `${action}\n${body}\n`)
        // A body is written into as many bytes as were counted: one too few would cut its end off.
        expect(operationBytes(operation) - bytes).toBeGreaterThanOrEqual(0)
        expect(operationBytes(operation) - bytes).toBeLessThan(4)
        expect(encodeBulk([operation], 9_223_372_036_854_775_807n).byteLength).toBe(bytes)
      }),
    )
  })

  it.each([
    ['of a delete', { kind: 'delete' }, 1],
    ['of a document', { kind: 'index', body: Buffer.from('{"é":1}') }, 2],
    ['of no document, which is sent as an empty one', { kind: 'index' }, 2],
    ['of a routing', { kind: 'delete', routing: 'r"é' }, 1],
    ['of a pipeline', { kind: 'index', body: Buffer.from('{}'), pipeline: 'p"é' }, 2],
  ] as const)('estimates a byte or two more than the longest version takes: %s', (_, more, spare) => {
    const operation: Operation = { index: 'städte', id: 'a"b', key: 'k', ...more }
    const { byteLength } = encodeBulk([operation], 9_223_372_036_854_775_807n)
    expect(operationBytes(operation) - byteLength).toBe(spare)
  })

  it('fills a piece before it begins the next', () => {
    const operation: Operation = { kind: 'delete', index: 'i', id: '1', key: '1' }
    const bytes = operationBytes(operation)
    const sizes = cutByBytes(Array<Operation>(7).fill(operation), bytes * 3).map((piece) => piece.length)
    expect(sizes).toEqual([3, 3, 1])
  })
})

describe('an id', () => {
  it.each([
    ['x', null],
    ['x'.repeat(512), null],
    ['é'.repeat(256), null],
    ['x'.repeat(513), '513 bytes'],
    ['é'.repeat(257), '514 bytes'],
    ['', 'empty'],
  ])('of text %#', (id, problem) => {
    if (problem === null) expect(idProblem(id)).toBeNull()
    else expect(idProblem(id)).toContain(problem)
  })
})
