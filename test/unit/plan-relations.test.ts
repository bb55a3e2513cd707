import { describe, expect, it, test } from 'vitest'
import { catalogOf } from '../../src/catalog/read-catalog.ts'
import type { Column, ForeignKey, Table } from '../../src/catalog/types.ts'
import type { DocumentDefinition, Relation } from '../../src/config/types.ts'
import { planOrder } from '../../src/documents/order.ts'
import { planDocument } from '../../src/documents/plan.ts'
import { snippetKey } from '../../src/documents/snippets.ts'
import { ConfigError, describeError } from '../../src/errors.ts'

const column = (name: string, type = 'int4', more: Partial<Column> = {}): Column => ({
  name,
  type,
  baseType: { name: type, schema: 'pg_catalog', kind: 'base', array: false },
  notNull: name === 'id',
  generated: 'no',
  generatedFrom: [],
  ...more,
})

const table = (name: string, columns: readonly Column[], more: Partial<Table> = {}): Table => ({
  oid: name.length,
  schema: 'geo',
  name,
  kind: 'r',
  columns,
  primaryKey: ['id'],
  uniqueKeys: [['id']],
  indexes: [{ columns: ['id'], unique: true }],
  foreignKeys: [],
  leaves: [],
  inherits: false,
  partitionOf: null,
  unlogged: false,
  rowSecurity: false,
  subscribed: false,
  estimatedRows: null,
  comment: null,
  ...more,
})

const key = (from: string, to: string, there = 'id'): ForeignKey => ({
  name: `${from}_fkey`,
  columns: [from],
  table: { schema: 'geo', name: to },
  there: [there],
})

const index = (...columns: string[]) => ({ columns, unique: false })

const country = table('country', [column('id'), column('name', 'text'), column('capital_id')])
const review = table('review', [column('id'), column('city_id'), column('at', 'timestamptz')], {
  foreignKeys: [key('city_id', 'city')],
  indexes: [index('city_id')],
})
const tag = table('tag', [column('id'), column('label', 'text'), column('shape', 'point')])
const cityTag = table('city_tag', [column('city_id'), column('tag_id')], {
  primaryKey: [],
  uniqueKeys: [],
  indexes: [index('tag_id', 'city_id')],
  foreignKeys: [key('city_id', 'city'), key('tag_id', 'tag')],
})
const city = table(
  'city',
  [
    column('id'),
    column('name', 'text'),
    column('country_id'),
    column('parent_id'),
    column('size', 'float8'),
    column('born', 'int4', { generated: 'virtual', generatedFrom: ['name'] }),
  ],
  {
    foreignKeys: [key('country_id', 'country'), key('parent_id', 'city')],
    indexes: [{ columns: ['id'], unique: true }, index('country_id'), index('parent_id')],
  },
)

interface World {
  readonly relation: Relation
  readonly tables?: readonly Table[]
  readonly definition?: Partial<DocumentDefinition>
}

/** A document of a city and of one relation, `r`; `tables` stand for those of their names. */
function plan({ relation, tables = [], definition = {} }: World) {
  const all = new Map([country, review, tag, cityTag, city, ...tables].map((one) => [one.name, one]))
  return planDocument({
    name: 'city',
    definition: { table: 'geo.city', index: 'cities', relations: { r: relation }, ...definition },
    catalog: catalogOf([...all.values()], 180000),
    snippets: new Map([
      [
        snippetKey({ table: 'geo.review', sql: 'old(at)' }),
        {
          sql: 'old(at)',
          columns: ['at'],
          type: 'boolean',
          baseType: { name: 'bool', schema: 'pg_catalog', kind: 'base', array: false } as const,
          dependsOnTime: true,
          warnings: ['is slow'],
        },
      ],
    ]),
    schema: 'sluice',
  })
}

function refusal(world: World): string {
  try {
    plan(world)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return describeError(error)
  }
  throw new Error('it was not refused')
}

/** What the relation is linked by: the columns of marks, and those they are compared with. */
function link(world: World) {
  const { sources } = plan(world)
  return sources.slice(1).map(({ source, table: { name }, key: columns, expansion }) => ({
    source,
    table: name,
    key: columns.map((part) => part.name).join(),
    from: expansion?.viewSql.split('\nFROM ')[1],
  }))
}

describe('a link is found by the foreign key', () => {
  it('of ours, for one', () => {
    expect(link({ relation: { one: 'geo.country' } })).toMatchObject([{ source: 'r', key: 'id' }])
  })

  it('of theirs, for many', () => {
    expect(link({ relation: { many: 'geo.review' } })).toMatchObject([{ table: 'review', key: 'city_id' }])
  })

  it('of theirs for one, where it is unique and there is none of ours', () => {
    const unique = { ...review, indexes: [{ columns: ['city_id'], unique: true }] }
    expect(link({ relation: { one: 'geo.review' }, tables: [unique] })).toMatchObject([{ key: 'city_id' }])
    const both = { ...country, foreignKeys: [key('capital_id', 'city')] }
    expect(link({ relation: { one: 'geo.country' }, tables: [both] })).toMatchObject([{ key: 'id' }])
  })

  it('of a table to itself: up for one, down for many', () => {
    expect(link({ relation: { one: 'geo.city' } })).toMatchObject([{ key: 'id' }])
    expect(link({ relation: { many: 'geo.city' } })).toMatchObject([{ key: 'parent_id' }])
  })

  it('of a table of that schema', () => {
    const elsewhere = { ...key('parent_id', 'country'), table: { schema: 'public', name: 'country' } }
    const tables = [{ ...city, foreignKeys: [...city.foreignKeys, elsewhere] }]
    expect(link({ relation: { one: 'geo.country' }, tables })).toHaveLength(1)
  })

  it('of ours to the table in between, and of the related one to it', () => {
    const between = table('city_tag', [column('id')])
    const tables = [
      between,
      { ...city, foreignKeys: [key('parent_id', 'city_tag')] },
      {
        ...tag,
        columns: [...tag.columns, column('between_id')],
        foreignKeys: [key('between_id', 'city_tag')],
      },
    ]
    const relation: Relation = { many: 'geo.tag', through: { table: 'geo.city_tag' } }
    expect(link({ relation, tables })).toMatchObject([
      { table: 'tag', key: 'between_id' },
      { table: 'city_tag', key: 'id' },
    ])
  })

  it('of the table in between, to both sides', () => {
    expect(link({ relation: { many: 'geo.tag', through: { table: 'geo.city_tag' } } })).toMatchObject([
      { source: 'r', table: 'tag', key: 'id' },
      { source: 'r:through', table: 'city_tag', key: 'city_id' },
    ])
  })

  it('once, where two constraints say the same', () => {
    const twice = {
      ...city,
      foreignKeys: [...city.foreignKeys, { ...key('country_id', 'country'), name: 'again' }],
    }
    expect(link({ relation: { one: 'geo.country' }, tables: [twice] })).toHaveLength(1)
  })
})

describe('a view from links to documents', () => {
  it('reads what is between them, not the changed table', () => {
    const { sources } = plan({
      relation: { many: 'geo.review', relations: { city: { one: 'geo.city' } } },
    })
    expect(sources.map(({ expansion }) => expansion)).toEqual([
      null,
      {
        view: 'links_city.r',
        viewSql: `CREATE VIEW "sluice"."links_city.r" AS
SELECT sluice_row_0.sluice_down_1_1 AS link_1, sluice_row_0.sluice_key AS key
FROM (SELECT ("city"."id")::text AS sluice_key, "city"."id" AS sluice_down_1_1 FROM "geo"."city") AS sluice_row_0`,
        links: ['pg_catalog.int4'],
      },
      {
        view: 'links_city.r.city',
        viewSql: `CREATE VIEW "sluice"."links_city.r.city" AS
SELECT sluice_row_1.sluice_down_1_1 AS link_1, sluice_row_0.sluice_key AS key
FROM (SELECT ("city"."id")::text AS sluice_key, "city"."id" AS sluice_down_1_1 FROM "geo"."city") AS sluice_row_0
JOIN (SELECT "review"."city_id" AS sluice_up_1, "review"."city_id" AS sluice_down_1_1 FROM "geo"."review") AS sluice_row_1 ON sluice_row_1.sluice_up_1 = sluice_row_0.sluice_down_1_1`,
        links: ['pg_catalog.int4'],
      },
    ])
  })
})

describe('what an operator is told', () => {
  it('the time, which passes for related rows too', () => {
    const { warnings } = plan({ relation: { many: 'geo.review', where: 'old(at)' } })
    expect(warnings).toEqual([
      expect.stringContaining('documents.city.relations.r.where: "old(at)" depends on the time'),
      'documents.city.relations.r.where: is slow',
    ])
  })

  it('fields that flatten leaves unused', () => {
    const relation: Relation = { many: 'geo.review', fields: ['id', 'at'], flatten: 'at' }
    expect(plan({ relation }).warnings).toEqual([
      'documents.city.relations.r.fields: "flatten" takes at alone, id is not used',
    ])
  })

  it('nothing of fields where none is unused, at any depth', () => {
    const told = (relation: Relation) => plan({ relation }).warnings
    expect(told({ many: 'geo.review', flatten: 'at' })).toEqual([])
    expect(told({ many: 'geo.review', fields: ['at'], flatten: 'at' })).toEqual([])
    const again: Relation = { one: 'geo.city', fields: ['id', 'name', 'country_id'], flatten: 'id' }
    expect(told({ many: 'geo.review', relations: { again } })).toEqual([
      'documents.city.relations.r.relations.again.fields: "flatten" takes id alone, name, country_id is not used',
    ])
  })

  it('what is odd about the table in between', () => {
    const relation: Relation = { many: 'geo.tag', through: { table: 'geo.city_tag' } }
    expect(plan({ relation, tables: [{ ...cityTag, unlogged: true }] }).warnings).toContainEqual(
      expect.stringContaining('geo.city_tag is unlogged'),
    )
  })

  it('row-level security and unlogged tables, once each', () => {
    const guarded = { ...review, rowSecurity: true }
    const relation: Relation = {
      many: 'geo.review',
      relations: { again: { one: 'geo.city', relations: { r: { many: 'geo.review' } } } },
    }
    expect(plan({ relation, tables: [guarded] }).warnings).toEqual([
      expect.stringContaining('geo.review has row-level security'),
    ])
  })

  it.each<[string, World, string[]]>([
    ['none where all is there', { relation: { many: 'geo.review' } }, []],
    [
      'theirs, for many',
      { relation: { many: 'geo.review' }, tables: [{ ...review, indexes: [] }] },
      ['each load of city documents: CREATE INDEX CONCURRENTLY ON geo.review (city_id)'],
    ],
    [
      'ours, for one',
      { relation: { one: 'geo.country' }, tables: [{ ...city, indexes: [index('id', 'country_id')] }] },
      ['each change of geo.country: CREATE INDEX CONCURRENTLY ON geo.city (country_id)'],
    ],
    [
      'of the table in between, from both sides',
      {
        relation: { many: 'geo.tag', through: { table: 'geo.city_tag' } },
        tables: [{ ...cityTag, indexes: [] }],
      },
      [
        'each load of city documents: CREATE INDEX CONCURRENTLY ON geo.city_tag (city_id)',
        'each change of geo.tag: CREATE INDEX CONCURRENTLY ON geo.city_tag (tag_id)',
      ],
    ],
    [
      'several columns in any order, and more behind them',
      {
        relation: { many: 'geo.review', on: { id: 'city_id', country_id: 'id' } },
        tables: [
          { ...review, indexes: [index('id', 'city_id', 'at')] },
          { ...city, indexes: [index('country_id', 'id')] },
        ],
      },
      [],
    ],
    [
      'one of a unique index, for it leaves one row',
      { relation: { one: 'geo.country', on: { country_id: 'id', name: 'name' } } },
      ['each change of geo.country: CREATE INDEX CONCURRENTLY ON geo.city (country_id, name)'],
    ],
    [
      'on a partitioned table, which takes none CONCURRENTLY',
      {
        relation: { many: 'geo.review' },
        tables: [{ ...review, kind: 'p', indexes: [] }],
      },
      ['each load of city documents: CREATE INDEX ON geo.review (city_id)'],
    ],
    [
      'none on a partitioned table whose partitions each have one',
      {
        relation: { many: 'geo.review' },
        tables: [
          { ...review, kind: 'p', indexes: [], leaves: [{ schema: 'geo', name: 'review_1' }] },
          { ...review, name: 'review_1' },
        ],
      },
      [],
    ],
    [
      'on a partitioned table, one of whose partitions has none',
      {
        relation: { many: 'geo.review' },
        tables: [
          {
            ...review,
            kind: 'p',
            indexes: [],
            leaves: ['review_1', 'review_2'].map((name) => ({ schema: 'geo', name })),
          },
          { ...review, name: 'review_1' },
          { ...review, name: 'review_2', indexes: [] },
        ],
      },
      ['each load of city documents: CREATE INDEX ON geo.review (city_id)'],
    ],
    [
      'theirs, where a unique index has it behind another column',
      {
        relation: { many: 'geo.review' },
        tables: [{ ...review, indexes: [{ columns: ['id', 'city_id'], unique: true }] }],
      },
      ['each load of city documents: CREATE INDEX CONCURRENTLY ON geo.review (city_id)'],
    ],
  ])('missing indexes: %s', (_, world, expected) => {
    expect(plan(world).missingIndexes.map(({ why, sql }) => `${why}: ${sql}`)).toEqual(expected)
  })
})

test('a missing index is told with the relation that needs it, its table, and the statement that makes it', () => {
  const { warnings, missingIndexes } = plan({
    relation: { many: 'geo.review', on: { id: 'city_id', name: 'at' } },
    tables: [
      { ...review, indexes: [], columns: [column('city_id'), column('at', 'text')] },
      { ...city, indexes: [index('id', 'name')] },
    ],
  })
  expect(warnings).toEqual([
    'documents.city.relations.r: no index on geo.review (city_id, at): each load of city documents reads the whole table. CREATE INDEX CONCURRENTLY ON geo.review (city_id, at)',
  ])
  expect(missingIndexes).toMatchObject([
    { table: { schema: 'geo', name: 'review' }, columns: ['city_id', 'at'] },
  ])
})

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

describe('a relation is refused', () => {
  const reserved = { ...city, columns: [...city.columns, column('_id')] }
  it.each<[string, World, RegExp]>([
    [
      'two foreign keys',
      {
        relation: { one: 'geo.country' },
        tables: [{ ...city, foreignKeys: [key('country_id', 'country'), key('parent_id', 'country')] }],
      },
      /^documents\.city\.relations\.r: geo\.city has two foreign keys to geo\.country, state "on"\n.*Write on: \{ country_id: 'id' \} or on: \{ parent_id: 'id' \}\./,
    ],
    [
      'two foreign keys of theirs',
      {
        relation: { many: 'geo.review' },
        tables: [{ ...review, foreignKeys: [key('city_id', 'city'), key('id', 'city')] }],
      },
      /r: geo\.review has two foreign keys to geo\.city, state "on"\n.*on: \{ id: 'city_id' \} or on: \{ id: 'id' \}/,
    ],
    [
      'no foreign key',
      { relation: { many: 'geo.tag' } },
      /r: geo\.tag has no foreign key to geo\.city, state "on"\n.*Write on: \{ 'column of geo\.city': 'column of geo\.tag' \}/,
    ],
    [
      'one the other way',
      { relation: { many: 'geo.country' } },
      /r: geo\.country has no foreign key to geo\.city, state "on"\n.*geo\.city has one to geo\.country: write on: \{ country_id: 'id' \} if/,
    ],
    [
      'two of the table in between',
      {
        relation: { many: 'geo.city', through: { table: 'geo.city_tag' } },
        tables: [{ ...cityTag, foreignKeys: [key('city_id', 'city'), key('tag_id', 'city')] }],
      },
      /r\.through: geo\.city_tag has two foreign keys to geo\.city, state "on"/,
    ],
    [
      'two to the related table',
      {
        relation: { many: 'geo.city', through: { table: 'geo.city_tag', on: { id: 'city_id' } } },
        tables: [{ ...cityTag, foreignKeys: [key('city_id', 'city'), key('tag_id', 'city')] }],
      },
      /r\.through: geo\.city_tag has two foreign keys to geo\.city, state "to"\n.*to: \{ city_id: 'id' \} or to: \{ tag_id: 'id' \}/,
    ],
    [
      'one that may be several',
      { relation: { one: 'geo.review', on: { id: 'city_id' } } },
      /r: city_id is not unique in geo\.review.*\n.*many: "geo\.review" with orderBy and limit: 1/,
    ],
    [
      'one that may be several, though it is part of what is unique',
      {
        relation: { one: 'geo.review', on: { id: 'city_id' } },
        tables: [{ ...review, indexes: [{ columns: ['city_id', 'at'], unique: true }] }],
      },
      /r: city_id is not unique in geo\.review/,
    ],
    [
      'three foreign keys, of several columns and odd names',
      {
        relation: { one: 'geo.country' },
        tables: [
          {
            ...city,
            foreignKeys: ['1st', 'a b', 'c'].map((name) => ({
              ...key(name, 'country'),
              columns: [name, 'name'],
              there: ['id', 'name'],
            })),
          },
        ],
      },
      /has three foreign keys .*\n.*Write on: \{ "1st": 'id', name: 'name' \} or on: \{ "a b": 'id', name: 'name' \} or on: \{ c: 'id', name: 'name' \}\./,
    ],
    [
      'unknown table',
      { relation: { many: 'geo.reviews' } },
      /r\.many: there is no table "geo\.reviews" \(did you mean "geo\.review"\?\)/,
    ],
    [
      'unknown table of one',
      { relation: { one: 'geo.contry' } },
      /r\.one: there is no table "geo\.contry" \(did you mean "geo\.country"\?\)/,
    ],
    [
      'unknown table in between',
      { relation: { many: 'geo.tag', through: { table: 'x' } } },
      /r\.through\.table: there is no table "x"/,
    ],
    [
      'a view',
      { relation: { many: 'geo.review' }, tables: [{ ...review, kind: 'v' }] },
      /r\.many: geo\.review is a view/,
    ],
    [
      'unknown column here',
      { relation: { one: 'geo.country', on: { contry_id: 'id' } } },
      /r\.on: geo\.city has no column "contry_id" \(did you mean "country_id"\?\)/,
    ],
    [
      'unknown column here, of a table in between',
      { relation: { many: 'geo.tag', on: { idd: 'city_id' }, through: { table: 'geo.city_tag' } } },
      /relations\.r\.on: geo\.city has no column "idd"/,
    ],
    [
      'unknown column there',
      { relation: { one: 'geo.country', on: { country_id: 'idd' } } },
      /r\.on: geo\.country has no column "idd"/,
    ],
    [
      'columns of different types',
      { relation: { one: 'geo.country', on: { name: 'id' } } },
      /r\.on: geo\.city\.name is text and geo\.country\.id is int4: they cannot be compared/,
    ],
    [
      'a type that cannot be text',
      { relation: { many: 'geo.city', on: { id: 'size' } } },
      /r\.on: geo\.city\.size is float8, which cannot link rows: its text depends/,
    ],
    [
      'a virtual column',
      { relation: { many: 'geo.city', on: { id: 'born' } } },
      /geo\.city\.born is a virtual generated column/,
    ],
    [
      'an order that is none',
      { relation: { many: 'geo.review', orderBy: 'att' } },
      /r\.orderBy: geo\.review has no column "att" \(did you mean "at"\?\)/,
    ],
    [
      'an order of what has none',
      { relation: { many: 'geo.tag', through: { table: 'geo.city_tag' }, orderBy: 'shape desc' } },
      /r\.orderBy: geo\.tag\.shape is point, which has no order/,
    ],
    [
      'an unknown field',
      { relation: { many: 'geo.review', fields: ['att'] } },
      /r\.fields\[0\]: geo\.review has no column "att"/,
    ],
    [
      'a value that is none of its fields',
      { relation: { many: 'geo.review', flatten: 'att' } },
      /r\.flatten: "att" is none of its fields\n.*id, city_id, at/,
    ],
    [
      'the name of a column',
      { relation: { many: 'geo.review' }, definition: { relations: { name: { many: 'geo.review' } } } },
      /documents\.city\.relations\.name: the field "name" is there twice\n.*omit: \["name"\]/,
    ],
    [
      'a reserved name',
      { relation: { many: 'geo.review' }, definition: { relations: { _id: { many: 'geo.review' } } } },
      /"_id" is a name that Elasticsearch keeps/,
    ],
    [
      'a tenant that is no column',
      { relation: { one: 'geo.country' }, definition: { tenant: 'tenant' } },
      /documents\.city\.tenant: geo\.city has no column "tenant"/,
    ],
    [
      'a routing of an odd type',
      { relation: { one: 'geo.country' }, definition: { routing: 'size' } },
      /documents\.city\.routing: geo\.city\.size is float8, which cannot be an address/,
    ],
    [
      'a virtual routing',
      { relation: { one: 'geo.country' }, definition: { routing: 'born' } },
      /documents\.city\.routing: geo\.city\.born is a virtual/,
    ],
  ])('%s', (_, world, expected) => {
    const text = refusal(world)
    expect(text).toMatch(expected)
    expect(text).toMatch(/^documents\.city\..*\n {2}→ \S/)
  })

  it('but a related row may have such a name', () => {
    expect(
      plan({ relation: { many: 'geo.city' }, tables: [reserved], definition: { fields: ['id'] } }).mappings,
    ).toMatchObject({
      properties: { r: { properties: { _id: { type: 'integer' } } } },
    })
  })
})

describe('an order', () => {
  const ordered = (orderBy: string | string[]) =>
    planOrder(orderBy, { ...review, columns: [...review.columns, column('x desc')] }, 'r')
  it.each<[string | string[], [string, boolean][]]>([
    ['at', [['at', false]]],
    ['at desc', [['at', true]]],
    ['at  DESC', [['at', true]]],
    [
      ['city_id asc', 'at Desc'],
      [
        ['city_id', false],
        ['at', true],
      ],
    ],
    // A column may be called so.
    ['x desc', [['x desc', false]]],
    ['x desc desc', [['x desc', true]]],
  ])('%j', (orderBy, expected) => {
    expect(ordered(orderBy).map(({ column: name, descending }) => [name, descending])).toEqual(expected)
  })

  it('may be none', () => expect(planOrder(undefined, review, 'r')).toEqual([]))

  it.each(['at descending', 'at\ndesc, id'])('is none of %j', (text) => {
    expect(() => ordered(text)).toThrow('no column')
  })
})

describe('an address', () => {
  const relation: Relation = { one: 'geo.country' }
  it('follows the id in the key, unless it is there', () => {
    const made = plan({ relation, definition: { routing: 'name', tenant: 'id', index: 'cities-{tenant}' } })
    expect(made.key.map(({ name }) => name)).toEqual(['id', 'name'])
    expect(made).toMatchObject({ idParts: 1, address: { tenant: 0, routing: 1 } })
    expect(made.loadSql).toContain('unnest($1::pg_catalog.int4[]) WITH ORDINALITY AS k (key_1, n)')
    expect(made.viewSql).toContain('sluice_row_0.sluice_key_2 AS key_2')
  })

  it('is one part where tenant and routing are one column', () => {
    const definition = { routing: 'name', tenant: 'name', index: 'cities-{tenant}' }
    expect(plan({ relation, definition })).toMatchObject({ address: { tenant: 1, routing: 1 } })
  })

  it('has no tenant where the index is not named by it', () => {
    const made = plan({ relation, definition: { tenant: 'name' } })
    expect(made).toMatchObject({ address: { tenant: null, routing: null }, idParts: 1 })
    expect(made.key).toHaveLength(1)
  })
})
