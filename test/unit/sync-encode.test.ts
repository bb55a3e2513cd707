import { describe, expect, test } from 'vitest'
import type { BatchKey, BatchTarget } from '../../src/queue/types.ts'
import { type AddressPlan, addressKeys, groupsById, nextSlice } from '../../src/sync/addressed.ts'
import { encodeOperations, wantedAliases } from '../../src/sync/encode.ts'
import type { LoadedDocument } from '../../src/sync/types.ts'

const column = (name: string) => ({ name, type: 'pg_catalog.text' })
const plain = {
  key: [column('id')],
  idParts: 1,
  index: 'cities',
  address: { tenant: null, routing: null },
  pipeline: null,
}
const routed = { ...plain, key: ['id', 'r'].map(column), address: { tenant: null, routing: 1 } }
const tenants = {
  ...plain,
  key: ['id', 't'].map(column),
  index: 'cities-{tenant}',
  address: { tenant: 1, routing: null },
}

const key = (name: string, more: Partial<BatchKey> = {}): BatchKey => ({
  key: name,
  origin: '7',
  target: null,
  runId: null,
  ageMs: 10,
  op: 'update',
  ...more,
})
const target = (index: string, more: Partial<BatchTarget> = {}): BatchTarget => ({
  index,
  alias: 'cities',
  uuid: index,
  role: 'live',
  releasedAt: null,
  ...more,
})
const row = (
  name: string,
  json: string | null = '{"a":1}',
  problem: string | null = null,
): LoadedDocument => ({
  key: name,
  json: json === null ? null : Buffer.from(json),
  problem,
})

/** Marked key → the row that its id has. */
type Rows = Readonly<Record<string, LoadedDocument>>

function encode(
  plan: AddressPlan & { readonly pipeline: string | null },
  keys: readonly BatchKey[],
  rows: Rows,
  targets: readonly BatchTarget[] = [target('i')],
) {
  return encodeOperations(plan, addressKeys(plan, keys).keys, new Map(Object.entries(rows)), targets)
}

describe('a key becomes', () => {
  test('an index operation where its row is there, a delete where it is not, for each index of its alias', () => {
    const targets = [target('i'), target('j'), target('elsewhere', { alias: 'lakes' })]
    const { operations, ...rest } = encode(plain, [key('7'), key('8')], { 7: row('7', '{"é":\n1}') }, targets)
    const [seven, eight] = [
      { id: '7', key: '7', body: Buffer.from('{"é": 1}') },
      { id: '8', key: '8' },
    ]
    expect(operations).toEqual([
      { kind: 'index', index: 'i', ...seven },
      { kind: 'index', index: 'j', ...seven },
      { kind: 'delete', index: 'i', ...eight },
      { kind: 'delete', index: 'j', ...eight },
    ])
    // Nothing is moved: a row that is gone is the mass-delete brake's affair.
    expect(rest).toEqual({ failures: [], gone: [], moved: [], added: [] })
  })

  test('operations for the index alone that its mark is for', () => {
    const targets = [target('i'), target('j')]
    const { operations } = encode(
      plain,
      [key('7', { target: 'j' }), key('8', { target: 'j' })],
      { 7: row('7') },
      targets,
    )
    expect(operations.map(({ kind, index }) => `${kind} ${index}`)).toEqual(['index j', 'delete j'])
  })

  test('one with its routing and its pipeline; a delete has no pipeline', () => {
    const plan = { ...routed, pipeline: 'enrich' }
    const { operations } = encode(plan, [key('["7", "x"]'), key('["8", "y"]')], {
      '["7", "x"]': row('["7", "x"]'),
    })
    expect(operations).toMatchObject([
      { kind: 'index', id: '7', routing: 'x', pipeline: 'enrich' },
      { kind: 'delete', id: '8', routing: 'y' },
    ])
    expect(operations[1]).not.toHaveProperty('pipeline')
  })

  test('a delete where transform left its document out', () => {
    expect(encode(plain, [key('7')], { 7: row('7', null) }).operations).toMatchObject([
      { kind: 'delete', id: '7' },
    ])
  })

  test('nothing where no index has its alias, and none can hold its id: it is over', () => {
    const long = 'x'.repeat(513)
    expect(encode(plain, [key('7')], {}, [target('i', { alias: 'lakes' })])).toMatchObject({
      operations: [],
      gone: ['7'],
    })
    expect(encode(plain, [key(long)], {})).toMatchObject({ operations: [], gone: [long] })
  })
})

describe('a row that no index can hold is a failure, and no operation', () => {
  test.each([
    ['a value', '7', row('7', '{}', 'the date is out of range'), 'the date is out of range'],
    [
      'its id',
      'x'.repeat(513),
      row('x'.repeat(513)),
      'the id has 513 bytes, more than the 512 Elasticsearch allows',
    ],
  ])('for %s', (_, name, document, reason) => {
    expect(encode(plain, [key(name)], { [name]: document })).toMatchObject({
      operations: [],
      gone: [],
      failures: [{ key: name, id: name, type: 'unindexable_value', reason }],
    })
  })

  test.each([
    ['t'.repeat(300), `cities-${'t'.repeat(72)}…`],
    ['t'.repeat(230), `cities-${'t'.repeat(72)}…`],
  ])('for the name of its tenant’s index, shown in part', (tenant, shown) => {
    const name = `["7", "${tenant}"]`
    expect(encode(tenants, [key(name)], { [name]: row(name) }).failures).toMatchObject([
      { reason: `the tenant's index cannot be named ${shown}: it is longer than 233 bytes` },
    ])
  })
})

describe('a row that moved', () => {
  const [old, older, now] = ['["7", "a"]', '["7", "b"]', '["7", "c"]'] as const

  test('within an index is deleted at its old addresses first, then written at its own, marked or not', () => {
    const rows = { [old]: row(now), [older]: row(now), [now]: row(now) }
    const operations = [
      { kind: 'delete', id: '7', routing: 'a' },
      { kind: 'delete', id: '7', routing: 'b' },
      { kind: 'index', id: '7', routing: 'c', key: now },
    ]
    const marked = encode(routed, [key(now), key(old), key(older)], rows)
    expect(marked).toMatchObject({ operations, moved: [old, older], added: [], gone: [] })
    const unmarked = encode(routed, [key(old), key(older)], rows)
    expect(unmarked).toMatchObject({ operations, moved: [old, older], gone: [] })
    expect(unmarked.added.map(({ key: name }) => name)).toEqual([now])
  })

  test('is written for its oldest mark, and for no run: nobody marked that key', () => {
    const keys = [key(old, { origin: '12', runId: '3' }), key(older, { origin: '9', runId: '3' })]
    const { added } = encode(routed, keys, { [old]: row(now), [older]: row(now) })
    expect(added).toMatchObject([{ key: now, origin: '9', runId: null }])
  })

  test.each([
    ['one index, where all marks are for it', 'j', 'j', ['delete j', 'delete j', 'index j']],
    ['all, where the marks are for different ones', 'i', 'j', ['delete i', 'delete j', 'index i', 'index j']],
    ['all, where one mark is', 'j', null, ['delete j', 'delete i', 'delete j', 'index i', 'index j']],
  ])('is written to %s', (_, first, second, expected) => {
    const keys = [key(old, { target: first }), key(older, { target: second })]
    const rows = { [old]: row(now), [older]: row(now) }
    const { operations } = encode(routed, keys, rows, [target('i'), target('j')])
    expect(operations.map(({ kind, index }) => `${kind} ${index}`)).toEqual(expected)
  })

  test('is written to all its indices where its own mark is for one and an old address’s for another', () => {
    const keys = [key(now, { target: 'j' }), key(old, { target: 'i' })]
    const rows = { [old]: row(now), [now]: row(now) }
    const { operations, added } = encode(routed, keys, rows, [target('i'), target('j')])
    expect(operations.map(({ kind, index }) => `${kind} ${index}`)).toEqual([
      'delete i',
      'index i',
      'index j',
    ])
    expect(added).toEqual([])
  })

  test('to what is no address at all is deleted here, and written nowhere', () => {
    expect(encode(routed, [key(old)], { [old]: row('7') })).toMatchObject({
      operations: [{ kind: 'delete', id: '7', routing: 'a' }],
      added: [],
      failures: [],
    })
  })

  test('to another tenant is deleted here; there its own mark writes it', () => {
    const { operations, added, moved } = encode(tenants, [key(old)], { [old]: row(now) }, [
      target('i', { alias: 'cities-a' }),
      target('j', { alias: 'cities-c' }),
    ])
    expect(operations).toMatchObject([{ kind: 'delete', index: 'i', id: '7' }])
    expect([added, moved]).toEqual([[], [old]])
  })

  test('to another tenant, and marked there, too, is written there', () => {
    const { operations } = encode(tenants, [key(old), key(now)], { [old]: row(now), [now]: row(now) }, [
      target('i', { alias: 'cities-a' }),
      target('j', { alias: 'cities-c' }),
    ])
    expect(operations).toMatchObject([
      { kind: 'delete', index: 'i' },
      { kind: 'index', index: 'j' },
    ])
  })

  test('goes where its own neighbours go, not where another tenant’s mark does', () => {
    const keys = [key(now, { target: 'j' }), key(old, { target: 'i' })]
    const { operations } = encode(tenants, keys, { [old]: row(now), [now]: row(now) }, [
      target('i', { alias: 'cities-a' }),
      target('j', { alias: 'cities-c' }),
      target('k', { alias: 'cities-c' }),
    ])
    expect(operations.map(({ kind, index }) => `${kind} ${index}`)).toEqual(['delete i', 'index j'])
  })
})

describe('keys', () => {
  test('that are none of this document are failures', () => {
    expect(addressKeys(routed, [key('7'), key('["7","x"]'), key('["7", "x"]')])).toMatchObject({
      keys: [{ key: '["7", "x"]', parts: ['7', 'x'], id: '7', alias: 'cities', routing: 'x' }],
      failures: [
        { key: '7', id: '7', type: 'invalid_key', reason: 'not a key of 2 parts' },
        { key: '["7","x"]', id: '["7","x"]', type: 'invalid_key', reason: 'not a key of 2 parts' },
      ],
    })
  })

  test('of one id come together, in the order of the first, and are not separated by a slice', () => {
    const names = ['["1", "a"]', '["2", "a"]', '["1", "b"]', '["3", "a"]', '["2", "b"]']
    const { keys } = addressKeys(
      routed,
      names.map((name) => key(name)),
    )
    expect(keys.map(({ id }) => id)).toEqual(['1', '1', '2', '2', '3'])
    expect(nextSlice(keys, 0, 1).map(({ id }) => id)).toEqual(['1', '1'])
    expect(nextSlice(keys, 0, 3).map(({ id }) => id)).toEqual(['1', '1', '2', '2'])
    expect(nextSlice(keys, 2, 2).map(({ id }) => id)).toEqual(['2', '2'])
    expect(nextSlice(keys, 4, 9).map(({ id }) => id)).toEqual(['3'])
    expect(groupsById(routed, keys).map((group) => group.length)).toEqual([2, 2, 1])
  })
})

describe('an index is wanted', () => {
  const wanted = (names: readonly string[], rows: Rows) => {
    const { keys } = addressKeys(
      tenants,
      names.map((name) => key(name)),
    )
    const found = wantedAliases(tenants, keys, new Map(Object.entries(rows)))
    return [...found].map(([alias, some]) => [alias, some.map(({ key: name }) => name)])
  }
  const [one, two, other] = ['["1", "a"]', '["2", "a"]', '["3", "b"]'] as const

  test('for each tenant with a row', () => {
    const rows = { [one]: row(one), [two]: row(two), [other]: row(other) }
    expect(wanted([one, other, two], rows)).toEqual([
      ['cities-a', [one, two]],
      ['cities-b', [other]],
    ])
  })

  test.each<[string, Rows]>([
    ['no row', {}],
    ['a document that transform leaves out', { [one]: row(one, null) }],
    ['one that it could not hold', { [one]: row(one, '{}', 'why') }],
    ['one that is another tenant’s now', { [one]: row('["1", "b"]') }],
    ['a row whose key is none', { [one]: row('1') }],
  ])('not for %s', (_, rows) => {
    expect(wanted([one], rows)).toEqual([])
  })

  test('not where it cannot have its name', () => {
    const name = `["1", "${'t'.repeat(300)}"]`
    expect(wanted([name], { [name]: row(name) })).toEqual([])
  })

  test('where the row is at another address of the same one', () => {
    const plan = { ...tenants, key: ['id', 't', 'r'].map(column), address: { tenant: 1, routing: 2 } }
    const { keys } = addressKeys(plan, [key('["1", "a", "x"]')])
    const rows = new Map([['["1", "a", "x"]', row('["1", "a", "y"]')]])
    expect([...wantedAliases(plan, keys, rows).keys()]).toEqual(['cities-a'])
  })
})
