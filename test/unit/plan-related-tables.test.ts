import { describe, expect, it } from 'vitest'
import type { Table } from '../../src/catalog/types.ts'
import type { Relation } from '../../src/config/types.ts'
import { column } from './catalog-tables.ts'
import { plan, review, type World } from './planned-relation.ts'

describe('a related table', () => {
  it('that a subscription fills is captured row by row, always', () => {
    const source = (tables: readonly Table[]) => plan({ relation: { many: 'geo.review' }, tables }).sources[1]
    expect(source([])).toMatchObject({ capture: 'statement', always: false })
    expect(source([{ ...review, subscribed: true }])).toMatchObject({ capture: 'row', always: true })
    const leaves = [{ schema: 'geo', name: 'review_1' }]
    const partitions = [
      { ...review, kind: 'p' as const, leaves },
      { ...review, name: 'review_1', subscribed: true },
    ]
    expect(source(partitions)).toMatchObject({ capture: 'row', always: true, leaves })
  })

  describe('is watched in all that the document is made of:', () => {
    const used = (world: World) =>
      plan(world).sources.map(({ source, usedColumns }) => [source, usedColumns.join()])
    const definition = { fields: ['name'] }

    it.each<[string, World, [string, string][]]>([
      [
        'what leads to it, here and there',
        { relation: { one: 'geo.country', fields: ['name'] }, definition },
        [
          ['', 'id,name,country_id'],
          ['r', 'id,name'],
        ],
      ],
      [
        'its order',
        { relation: { many: 'geo.review', fields: ['id'], orderBy: 'at' }, definition },
        [
          ['', 'id,name'],
          ['r', 'id,city_id,at'],
        ],
      ],
      [
        'both sides of the table in between',
        {
          relation: { many: 'geo.tag', through: { table: 'geo.city_tag' }, fields: ['label'] },
          definition,
        },
        [
          ['', 'id,name'],
          ['r', 'id,label'],
          ['r:through', 'city_id,tag_id'],
        ],
      ],
      [
        'what leads on from it',
        {
          relation: {
            many: 'geo.review',
            fields: ['id'],
            relations: { c: { one: 'geo.city', fields: ['id'] } },
          },
          definition,
        },
        [
          ['', 'id,name'],
          ['r', 'id,city_id'],
          ['r.c', 'id'],
        ],
      ],
    ])('%s', (_, world, expected) => expect(used(world)).toEqual(expected))
  })

  it('is compared where rows can be told apart, by a key whose text is the same in every session', () => {
    const relation: Relation = { many: 'geo.review', fields: ['id'] }
    const source = (more: Partial<Table>) => plan({ relation, tables: [{ ...review, ...more }] }).sources[1]
    expect(source({})).toMatchObject({ compare: true, rowKey: [{ name: 'id' }] })
    expect(source({ uniqueKeys: [] })).toMatchObject({ compare: false, rowKey: [] })
    const columns = [...review.columns, column('score', 'float8', { notNull: true })]
    const keyOf = (...uniqueKeys: string[][]) =>
      source({ columns, uniqueKeys })?.rowKey.map(({ name }) => name)
    expect(keyOf(['score', 'id'], ['id', 'city_id'])).toEqual(['id', 'city_id'])
    expect(keyOf(['score'])).toEqual([])
  })

  it('is not captured row by row for partitions that no subscription fills', () => {
    const leaves = [{ schema: 'geo', name: 'review_1' }]
    const tables = [
      { ...review, leaves },
      { ...review, name: 'review_1' },
    ]
    expect(plan({ relation: { many: 'geo.review' }, tables }).sources[1]).toMatchObject({ always: false })
  })

  it('is mapped, cut and ordered as stated', () => {
    const mapped = (relation: Relation) => plan({ relation }).mappings.properties
    expect(mapped({ many: 'geo.review', nested: true })).toMatchObject({ r: { type: 'nested' } })
    expect(mapped({ many: 'geo.review' })).not.toHaveProperty('r.type')
    expect(mapped({ many: 'geo.tag', through: { table: 'geo.city_tag' }, flatten: 'id' })).toMatchObject({
      r: { type: 'integer' },
    })
    const fields = { 'a.b': 'id', ab: 'at' }
    expect(mapped({ many: 'geo.review', fields, flatten: 'a.b' })).toMatchObject({ r: { type: 'integer' } })
    const limited: Relation = { many: 'geo.review', orderBy: 'at desc', limit: 2 }
    expect(plan({ relation: limited }).viewSql).toMatch(/ DESC, .* LIMIT 2\)/)
    expect(plan({ relation: { many: 'geo.review' } }).viewSql).not.toMatch(/LIMIT| DESC/)
  })

  it('is watched by the base columns of virtual ones', () => {
    const { sources } = plan({ relation: { many: 'geo.city', fields: ['born'] } })
    expect(sources[1]).toMatchObject({ usedColumns: ['id', 'name', 'parent_id'], compare: true })
  })
})
