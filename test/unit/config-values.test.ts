import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import * as value from '../../src/config/values.ts'

/** What each kind of value takes, up to its edges, and what it refuses beyond them. */
const kinds: Readonly<Record<string, [z.ZodType, taken: readonly unknown[], refused: readonly unknown[]]>> = {
  'a text': [value.text('x'), ['a', ' a '], ['', ' ', 7, null]],
  'a whole number': [value.whole({ unit: 'keys', min: 2, max: 4 }), [2, 4], [1, 5, 2.5, '3', Number.NaN]],
  'a share': [value.share, [0, 0.1, 1], [-0.01, 1.01, '0.1']],
  'a list': [value.distinctTexts('x'), [['a'], ['a', 'b']], [[], ['a', 'a'], [' '], 'a']],
  'a document name': [
    value.documentName,
    ['a', 'a_2', 'x'.repeat(40)],
    ['', '1a', '_a', 'A', 'a!', '!a', 'x'.repeat(41)],
  ],
  'a schedule name': [
    value.scheduleName,
    ['a', 'a_2', 'x'.repeat(40)],
    ['', '1a', '_a', 'A', 'a!', '!a', 'x'.repeat(41)],
  ],
  'a relation': [value.relationName, ['a', 'all reviews'], ['', ' ', 'a.b', 'a:b']],
  'a field path': [value.fieldPath, ['name', 'geo.lat'], ['', '.', 'geo.', '.lat', 'geo. ']],
  'a column': [value.column, ['a'], ['', ' ']],
  SQL: [
    value.sqlExpression,
    [{ sql: 'lower(name)' }],
    [{ sql: ' ' }, {}, 'lower(name)', { sql: 'a', as: 'b' }],
  ],
  'a time': [value.keep, ['30m', '24h', '0'], ['1 day', '']],
  'a lapse': [value.lapse, ['1s', '10m'], ['0', '0h', '1 day']],
  'a function': [value.transform, [(document: unknown) => document], ['document', {}, null]],
  JSON: [
    value.jsonObject,
    [{}, { a: 1, b: 'x', c: true, d: null, e: [{ f: [] }] }, { a: Object.create(null) }],
    [
      ...[[], 'x', { a: Number.NaN }, { a: Number.POSITIVE_INFINITY }, { a: 1n }, { a: [{ b: undefined }] }],
      ...[{ a: new Map() }, { a: Symbol('x') }, { a: [() => 1] }],
    ],
  ],
  'an address of Postgres': [
    value.postgresUrl,
    [
      'postgres://db/shop',
      'postgresql://me:p%23w@db:5432/shop?sslmode=require',
      'postgres:///shop?host=/run',
    ],
    ['https://db/shop', 'db', '', 'postgres://me:1#2@db/shop', 'postgres://me:1?2@db/shop'],
  ],
  'addresses of Elasticsearch': [
    value.elasticsearchUrl,
    ['http://a:9200', 'https://a:9200, https://b:9200/base'],
    ['ftp://a', 'https://a:9200,b', 'https://a:9200,', '', 'https://me:1#2@a:9200'],
  ],
  'an address of a webhook': [value.webhookUrl, ['http://a/x', 'https://a/x?y=z'], ['ftp://a/x', 'a', '']],
  'hosts in plain text': [
    value.plaintextHosts,
    ['db', 'db, search.internal', '10.0.0.1,[fd00::1]'],
    ['', 'db,', 'http://db', 'db/shop', 'a b'],
  ],
  'a host to listen on': [value.adminHost, ['127.0.0.1', '::1', 'a-b.c'], ['', 'a b', 'a/', '/a', '[::1]']],
  'a port': [value.adminPort, [0, 65_535, 'off'], [-1, 65_536, 1.5, '80', 'on', null]],
  'a token': [
    value.adminToken,
    ['x'.repeat(16), 'x'.repeat(200), '!"#$%&/()=?~^{}[]'],
    ['x'.repeat(15), 'x'.repeat(201), `${'x'.repeat(20)} x`, ` ${'x'.repeat(20)}`, `${'x'.repeat(20)}ä`],
  ],
  'hosts of requests': [
    value.adminHosts,
    ['search.internal', 'a, b-c'],
    ['', 'a,', 'http://a', 'a/b', 'a:80'],
  ],
  proxies: [
    value.adminTrustedProxies,
    ['10.0.0.1', '10.0.0.0/8', '10.0.0.1/32', '::1/128', '127.0.0.1, fd00::/8'],
    [
      '',
      'proxy',
      '10.0.0.1/',
      '10.0.0.1/0',
      '10.0.0.1/33',
      '::1/129',
      '10.0.0.1/8/8',
      '10.0.0.1/x',
      '10.0.0.1/1000',
      '10.0.0.1/x8',
      '10.0.0.1/8x',
    ],
  ],
  'a schema': [
    value.schemaName,
    ['sluice', 'ä'.repeat(31), 'x'.repeat(63), 'publicly', 'my_public', 'xpg_', 'My schema'],
    [
      '',
      ' ',
      'public',
      'information_schema',
      'pg_toast',
      'x'.repeat(64),
      'ä'.repeat(32),
      "a'b",
      'a"b',
      'a\\b',
      'a\nb',
    ],
  ],
  'an instance': [value.instanceName, ['x', 'x'.repeat(200)], ['', ' ', 'x'.repeat(201), 'a\u0007']],
  'a time zone': [value.timezone, ['UTC', 'Europe/Berlin'], ['', 'Europe/Berln']],
}

describe.each(Object.entries(kinds))('%s', (_, [schema, taken, refused]) => {
  it('takes what it is for, as it is', () => {
    for (const one of taken) expect(schema.safeParse(one)).toEqual({ success: true, data: one })
  })

  it('refuses anything else', () => {
    expect(refused.filter((one) => schema.safeParse(one).success)).toEqual([])
  })
})
