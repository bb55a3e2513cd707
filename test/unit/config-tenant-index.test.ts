import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { indexNameProblem, indexProblem, indicesOverlap } from '../../src/config/index-name.ts'
import { tenantAlias, tenantOfAlias } from '../../src/config/tenant-index.ts'
import { physicalName, templatePattern } from '../../src/elasticsearch/names.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const tenant = fc.option(
  fc.oneof(text, fc.constantFrom('', 'null', '_null', '_empty', 'empty', '_41', 'A', 'a')),
  {
    nil: null,
  },
)
const pattern = fc.constantFrom('cities-{tenant}', 'c{tenant}', 'cities-{tenant}-v2', 'x-{tenant}_null')

describe('the index of a tenant', () => {
  it.each([
    ['cities-{tenant}', 'acme', 'cities-acme'],
    ['cities-{tenant}', 'Acme', 'cities-_41cme'],
    ['cities-{tenant}', 'a-b', 'cities-a_2db'],
    ['cities-{tenant}', 'Zürich', 'cities-_5a_c3_bcrich'],
    ['cities-{tenant}', 'a\tb', 'cities-a_09b'],
    ['cities-{tenant}-v2', '$&', 'cities-_24_26-v2'],
    ['cities-{tenant}', '', 'cities-_empty'],
    ['cities-{tenant}', null, 'cities-_null'],
  ])('of %s, %j: %s', (of, value, alias) => {
    expect(tenantAlias(of, value)).toBe(alias)
    expect(tenantOfAlias(of, alias)).toBe(value)
  })

  it.each([
    'cities',
    'cities-',
    'cities-A',
    'cities-_4',
    'cities-_61',
    'cities-a-b',
    'cities-_null_',
    'other-a',
  ])('has not the alias %s', (alias) => {
    expect(tenantOfAlias('cities-{tenant}', alias)).toBeUndefined()
  })

  it('is another for each value, is told from its alias, and is named as Elasticsearch allows', () => {
    fc.assert(
      fc.property(pattern, tenant, tenant, (of, a, b) => {
        const alias = tenantAlias(of, a)
        expect(tenantAlias(of, b) === alias).toBe(a === b)
        expect(tenantOfAlias(of, alias)).toBe(a)
        expect(indexNameProblem(alias)).toBeNull()
      }),
      { numRuns: 3000 },
    )
  })

  it('is never another tenant’s physical index, and that fits the template', () => {
    const random = fc.stringMatching(/^[a-z0-9]{6}$/)
    fc.assert(
      fc.property(pattern, tenant, random, (of, a, letters) => {
        const physical = physicalName(tenantAlias(of, a), new Date(), letters)
        if (of === 'cities-{tenant}') expect(tenantOfAlias(of, physical)).toBeUndefined()
        expect(physical).toMatch(new RegExp(`^${templatePattern(of).replaceAll('*', '.*')}$`))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a pattern', () => {
  it.each([
    ['cities-{tenant}', null],
    ['c{tenant}', null],
    ['{tenant}-cities', 'may not start with {tenant}'],
    ['cities-{tenant}-{tenant}', 'may have only one {tenant}'],
    ['Cities-{tenant}', 'must be lower case'],
    ['cities-{tenants}', 'may not contain "{"'],
    ['cities-{tenant}*', 'may not contain "*"'],
  ])('%s: %s', (index, problem) => {
    expect(indexProblem(index)).toBe(problem)
  })

  it.each([
    ['cities-{tenant}', 'cities', true],
    ['cities-{tenant}', 'cities-x', true],
    ['cities-{tenant}', 'cities-x-y', true],
    ['cities-{tenant}', 'cities-{tenant}-v2', true],
    ['c{tenant}', 'cities', true],
    ['cities-{tenant}', 'citie', false],
    ['cities-{tenant}', 'cities2', false],
    ['cities-{tenant}', 'countries-{tenant}', false],
    ['cities-a{tenant}', 'cities-b{tenant}', false],
    ['cities-2{tenant}', 'cities', true],
    ['cities-a{tenant}', 'cities', false],
  ])('%s and %s overlap: %s', (a, b, overlap) => {
    expect(indicesOverlap(a, b)).toBe(overlap)
    expect(indicesOverlap(b, a)).toBe(overlap)
  })
})
