import { describe, expect, it } from 'vitest'
import { indexNameProblem } from '../../src/config/index-name.ts'
import { flatSettings } from '../../src/elasticsearch/indices.ts'
import { parseExact } from '../../src/elasticsearch/json.ts'
import { physicalName, templateName, templatePattern } from '../../src/elasticsearch/names.ts'

describe('the name of an index', () => {
  it('is its alias, the second it was made and something random', () => {
    const name = physicalName('cities', new Date('2026-08-01T03:04:05.678Z'), 'k3x9qa')
    expect(name).toBe('cities-20260801030405-k3x9qa')
    expect(name).toMatch(new RegExp(`^${templatePattern('cities').replaceAll('*', '.*')}$`))
  })

  it('has a template of our own name, for one alias or for all tenants’', () => {
    expect(templateName('cities')).toBe('sluice-cities')
    expect(templateName('cities-{tenant}')).toBe('sluice-cities-{tenant}')
  })

  it.each(['cities', 'städte', 'a', '.hidden', 'a.b', 'a+b', 'x'.repeat(233)])('may be %s', (name) => {
    expect(indexNameProblem(name)).toBeNull()
  })

  it.each([
    ...[
      '',
      '.',
      '..',
      'Cities',
      'ÄB',
      '-a',
      '_a',
      '+a',
      'a b',
      'a\tb',
      'a/b',
      'a\\b',
      'a*',
      'a?b',
      'a"b',
      'a<b',
      'a>b',
      'a|b',
    ],
    ...['a,b', 'a#b', 'a:b', 'x'.repeat(234), 'é'.repeat(120)],
  ])('may not be %j', (name) => {
    expect(indexNameProblem(name)).not.toBeNull()
  })
})

describe('settings', () => {
  it('come to one form, however they are written', () => {
    const expected = {
      'index.gc_deletes': '2h',
      'index.analysis.filter.x.type': 'stop',
      'index.sort.field': ['a', 'b'],
    }
    expect(
      flatSettings({
        index: { gc_deletes: '2h' },
        analysis: { filter: { x: { type: 'stop' } } },
        'sort.field': ['a', 'b'],
      }),
    ).toEqual(expected)
    expect(
      flatSettings({
        'index.gc_deletes': '2h',
        'index.analysis': { 'filter.x': { type: 'stop' } },
        index: { 'sort.field': ['a', 'b'] },
      }),
    ).toEqual(expected)
  })
})

describe('JSON with large integers', () => {
  it('keeps them as text, and everything else as it is', () => {
    expect(
      parseExact(
        '{"a":9007199254740993,"b":[-9223372036854775808,9007199254740991],"c":1e300,"d":"9007199254740993","e":0.1}',
      ),
    ).toEqual({
      a: '9007199254740993',
      b: ['-9223372036854775808', 9007199254740991],
      c: 1e300,
      d: '9007199254740993',
      e: 0.1,
    })
  })
})
