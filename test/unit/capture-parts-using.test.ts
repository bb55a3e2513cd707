import { describe, expect, it } from 'vitest'
import { definitionPart, partsUsing } from '../../src/capture/parts-using.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import type { DocumentPlan, SourcePlan } from '../../src/documents/types.ts'

const city: DocumentDefinition = {
  table: 'city',
  index: 'cities-{tenant}',
  fields: { id: 'id', slug: { sql: 'lower(name)' } },
  where: '"Active" AND NOT hidden',
  tenant: 'tenant_id',
  routing: 'region',
  relations: {
    country: { one: 'country', on: { country_code: 'code' } },
    'geo.reviews': {
      many: 'review',
      on: { id: 'city_id' },
      orderBy: 'stars desc',
      relations: { author: { one: 'person', on: { author_id: 'id' }, fields: ['name'] } },
    },
    languages: {
      many: 'language',
      through: { table: 'spoken', on: { country_code: 'country' } },
      flatten: 'name',
    },
  },
}

const report: DocumentDefinition = {
  table: 'owner',
  index: 'reports',
  sql: 'SELECT …',
  dependsOn: { 'public.line': 'report_id' },
}

function part(source: string, key: string, ...used: string[]): SourcePlan {
  const columns = [{ name: key, type: 'pg_catalog.int4' }]
  return {
    source,
    table: { schema: 'public', name: 't' },
    key: columns,
    rowKey: columns,
    expansion: null,
    usedColumns: [key, ...used],
    compare: true,
    capture: 'statement',
    always: false,
    leaves: [],
  }
}

const using = (definition: DocumentDefinition, source: SourcePlan, column: string) => {
  const plan = { columns: { used: ['id'], omitted: [] } } as unknown as DocumentPlan
  return partsUsing({ definition, plan }, [source], column)
}

describe('where a source comes from', () => {
  it.each([
    ['', ''],
    ['country', 'relations.country'],
    ['geo.reviews', 'relations["geo.reviews"]'],
    ['geo.reviews.author', 'relations["geo.reviews"].relations.author'],
    ['languages', 'relations.languages'],
    ['languages:through', 'relations.languages.through'],
  ])('%j', (source, path) => {
    expect(definitionPart(city, source).path).toBe(path)
  })

  it('of a document made by SQL', () => {
    expect(definitionPart(report, 'public.line').path).toBe('dependsOn["public.line"]')
    expect(definitionPart(report, '').path).toBe('')
  })
})

describe('what is made of a column', () => {
  const root = part('', 'id', 'name')
  it.each<[column: string, parts: string[]]>([
    ['id', ['id', 'geo.reviews']],
    ['name', ['slug']],
    ['Active', ['where']],
    ['active', []],
    ['hidden', ['where']],
    ['tenant_id', ['tenant']],
    ['region', ['routing']],
    ['country_code', ['country', 'languages']],
  ])('of the root table: %s', (column, parts) => {
    expect(using(city, root, column)).toEqual(parts)
  })

  it.each<[source: SourcePlan, column: string, parts: string[]]>([
    [part('country', 'code', 'name'), 'name', ['country.name']],
    [part('country', 'code', 'name'), 'code', ['country.code', 'country']],
    [part('geo.reviews', 'city_id', 'stars'), 'stars', ['geo.reviews.stars', 'geo.reviews.orderBy']],
    [part('geo.reviews', 'city_id', 'stars'), 'author_id', ['geo.reviews.author']],
    [part('geo.reviews.author', 'id', 'name'), 'name', ['geo.reviews.author.name']],
    [part('geo.reviews.author', 'id', 'name'), 'other', []],
    [part('languages:through', 'country', 'language'), 'language', ['languages']],
  ])('of a related table: $0.source, %s', (source, column, parts) => {
    expect(using(city, source, column)).toEqual(parts)
  })

  it('of a table that SQL depends on', () => {
    expect(using(report, part('public.line', 'report_id', 'amount'), 'amount')).toEqual(['public.line'])
  })
})
