import { describe, expect, it } from 'vitest'
import { definitionPart, fieldOf, leftOut, partsUsing } from '../../src/capture/parts-using.ts'
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

  it('is the id only where it is no address, and every part of a key', () => {
    const two = (name: string): SourcePlan => ({
      ...part('', 'id'),
      key: [
        { name: 'id', type: 't' },
        { name, type: 't' },
      ],
    })
    const bare: DocumentDefinition = {
      table: 't',
      index: 'i',
      fields: [],
      tenant: 'tenant_id',
      routing: 'region',
    }
    expect(using(bare, two('code'), 'code')).toEqual(['id'])
    expect(using(bare, two('code'), 'id')).toEqual(['id'])
    expect(using(bare, two('tenant_id'), 'tenant_id')).toEqual(['tenant'])
    expect(using(bare, two('region'), 'region')).toEqual(['routing'])
  })

  it('of a related table is what that has, not what the root has', () => {
    const all: DocumentDefinition = {
      table: 't',
      index: 'i',
      relations: { a: { one: 'a' }, ab: { one: 'b' } },
    }
    expect(using(all, part('a', 'code', 'name'), 'name')).toEqual(['a.name'])
    expect(using(all, part('a', 'code', 'name'), 'other')).toEqual([])
    expect(definitionPart(all, 'ab.x')).toEqual({ path: 'ab.x', row: null })
  })

  it('of a table that SQL depends on', () => {
    expect(using(report, part('public.line', 'report_id', 'amount'), 'amount')).toEqual(['public.line'])
  })
})

describe('what a part leaves out of all columns', () => {
  const all: DocumentDefinition = {
    table: 't',
    index: 'i',
    omit: ['secret'],
    relations: { a: { one: 'a' }, b: { many: 'b', flatten: 'name' }, c: { one: 'c', fields: ['x'] } },
  }
  it.each([
    ['', ['secret']],
    ['a', []],
    // It takes what it names, or nothing.
    ['b', null],
    ['c', null],
    ['a:through', null],
    ['gone', null],
  ])('%j', (source, columns) => {
    expect(leftOut(all, source)).toEqual(columns)
  })

  it('nothing where SQL says what is taken', () => {
    expect([leftOut(report, ''), leftOut(report, 'public.line')]).toEqual([null, null])
  })
})

describe('a part', () => {
  it('that the definition does not have is called by its source', () => {
    expect(definitionPart(city, 'gone')).toEqual({ path: 'gone', row: null })
    expect(definitionPart(city, 'country.gone')).toEqual({ path: 'country.gone', row: null })
    expect(definitionPart({ table: 't', index: 'i' }, 'a')).toEqual({ path: 'a', row: null })
  })

  it('is for a field', () => {
    expect([fieldOf('languages:through'), fieldOf('languages')]).toEqual(['languages', 'languages'])
  })

  it('names columns as SQL does: quoted ones as they are, others in lower case', () => {
    const where = (sql: string): DocumentDefinition => ({ table: 't', index: 'i', fields: [], where: sql })
    const found = (sql: string, column: string) => using(where(sql), part('', 'id'), column)
    expect(found('ACTIVE', 'active')).toEqual(['where'])
    expect(found('"a""b" = 1', 'a"b')).toEqual(['where'])
    expect(found('1 = 1', 'active')).toEqual([])
  })

  it('names columns in the order of several, and in nothing where it says nothing', () => {
    const ordered: DocumentDefinition = {
      table: 't',
      index: 'i',
      fields: [],
      relations: { a: { many: 'a', where: 'open', orderBy: ['x desc', 'y'], fields: [] } },
    }
    const a = part('a', 'id', 'x', 'y', 'open', 'z')
    expect(using(ordered, a, 'y')).toEqual(['a.orderBy'])
    expect(using(ordered, a, 'open')).toEqual(['a.where'])
    expect(using(ordered, a, 'z')).toEqual([])
    expect(using(report, part('public.line', 'report_id'), 'gone')).toEqual([])
  })
})
