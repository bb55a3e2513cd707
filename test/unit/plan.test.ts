import { describe, expect, it } from 'vitest'
import { catalogOf } from '../../src/catalog/read-catalog.ts'
import { planDocument } from '../../src/documents/plan.ts'
import { city, plan, snippets } from './planned-city.ts'

describe('a plan', () => {
  it('says what the daemon has to know of its rows and of what is sent', () => {
    expect(plan()).toMatchObject({ table: { schema: 'geo', name: 'city' }, transform: false, pipeline: null })
    expect(plan()).not.toHaveProperty('tenant')
    const stated = { transform: () => null, pipeline: 'enrich', tenant: 'country' }
    expect(plan(stated)).toMatchObject({ transform: true, pipeline: 'enrich', tenant: 'country' })
  })

  it('is plain JSON', () => {
    const made = plan({ where: 'population > 0', settings: { number_of_replicas: 0 } })
    expect(JSON.parse(JSON.stringify(made))).toEqual(made)
  })

  it('takes all columns by default, and watches them without comparing', () => {
    const { columns, sources, key } = plan()
    expect(key).toEqual([{ name: 'id', type: 'pg_catalog.int8' }])
    expect(columns).toEqual({ used: city.columns.map(({ name }) => name), omitted: [] })
    expect(sources).toEqual([
      {
        source: '',
        table: { schema: 'geo', name: 'city' },
        key,
        rowKey: key,
        expansion: null,
        usedColumns: ['id', 'name', 'country', 'code', 'population', 'slug', 'score'],
        compare: false,
        capture: 'statement',
        always: false,
        leaves: [],
      },
    ])
  })

  it('compares where an UPDATE can leave the document as it is', () => {
    const { columns, sources } = plan({ fields: ['name'] })
    expect(columns).toEqual({
      used: ['id', 'name'],
      omitted: ['country', 'code', 'population', 'slug', 'size', 'score'],
    })
    expect(sources[0]).toMatchObject({ usedColumns: ['id', 'name'], compare: true })
    // A generated column cannot change alone.
    expect(plan({ omit: ['slug', 'size'] }).sources[0]?.compare).toBe(false)
  })

  it('has nothing of a column that is left out', () => {
    const { columns, mappings, viewSql } = plan({ omit: ['score', 'name'] })
    expect(columns.omitted).toEqual(['name', 'score'])
    expect(Object.keys(mappings.properties as object)).toEqual([
      'id',
      'country',
      'code',
      'population',
      'slug',
      'size',
    ])
    expect(viewSql).not.toMatch(/score|name"/)
  })

  it('may have names of 63 bytes, and such as only look alike', () => {
    const long = 'é'.repeat(31).concat('x')
    expect(plan({ fields: { [long]: 'id' } }).mappings.properties).toHaveProperty(long)
    expect(Object.keys(plan({ fields: { 'a.b': 'id', ab: 'name' } }).mappings.properties as object)).toEqual([
      'a',
      'ab',
    ])
  })

  it('has a key without a primary key, where it is stated', () => {
    expect(plan({ id: ['country', 'code'] }, { primaryKey: [] }).idParts).toBe(2)
  })

  it('watches what a virtual column is computed from, and what the condition reads', () => {
    expect(plan({ fields: ['size'] }).sources[0]?.usedColumns).toEqual(['id', 'population'])
    expect(plan({ fields: ['name'], where: 'population > 0' }).sources[0]?.usedColumns).toEqual([
      'id',
      'name',
      'population',
    ])
  })

  it('walks a key in the order of its index', () => {
    const { key, walkOrder } = plan({ id: ['code', 'country'] })
    expect(key.map(({ name }) => name)).toEqual(['code', 'country'])
    expect(walkOrder).toEqual([1, 0])
    expect(plan({ id: ['name', 'id'] }).walkOrder).toEqual([1, 0])
  })

  it('captures partitioned tables row by row', () => {
    const leaves = [{ schema: 'geo', name: 'city_1' }]
    expect(plan({}, { kind: 'p', leaves }).sources[0]).toMatchObject({ capture: 'row', leaves })
  })

  it('nests dotted names, and maps them so', () => {
    const { mappings, viewSql } = plan({ fields: { 'a.id': 'id', 'a.b.name': 'name' } })
    expect(mappings).toMatchObject({
      dynamic: 'strict',
      properties: {
        a: { properties: { id: { type: 'long' }, b: { properties: { name: { type: 'text' } } } } },
      },
    })
    expect(viewSql).toContain('AS "b"')
  })

  it('keeps tombstones for an hour, unless the settings say otherwise', () => {
    expect(plan().settings).toEqual({ 'index.gc_deletes': '1h' })
    expect(plan({ settings: { index: { gc_deletes: '2h' } } }).settings).toEqual({ 'index.gc_deletes': '2h' })
  })

  it('names its view so that it fits', () => {
    const catalog = catalogOf([city], 180000)
    const definition = { table: 'geo.city', index: 'cities' }
    const names = ['a', 'b'].map((end) => {
      const name = `${'long_'.repeat(12)}${end}`
      return planDocument({ name, definition, catalog, snippets, schema: 'sluice' }).view
    })
    expect(names.every((name) => name.length === 63)).toBe(true)
    expect(new Set(names).size).toBe(2)
  })

  it('warns of what no mark will tell', () => {
    const { warnings } = plan({ fields: { age: { sql: 'age()' } } }, { rowSecurity: true, unlogged: true })
    expect(warnings).toHaveLength(3)
    expect(warnings.join()).toContain('documents.city.fields.age: "age()" depends on the time')
    expect(warnings.join()).toMatch(/geo\.city has row-level security.*geo\.city is unlogged/)
    const mappings = { properties: { nmae: { type: 'keyword' } } }
    expect(plan({ mappings }).warnings).toEqual([
      'documents.city.mappings.properties.nmae: the document has no field "nmae" (did you mean "name"?)',
    ])
  })
})
