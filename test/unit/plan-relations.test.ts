import { describe, expect, it } from 'vitest'
import { catalogOf } from '../../src/catalog/read-catalog.ts'
import type { Column, ForeignKey, Table } from '../../src/catalog/types.ts'
import type { DocumentDefinition, Relation } from '../../src/config/types.ts'
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
          warnings: [],
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
    ])
  })

  it('fields that flatten leaves unused', () => {
    const relation: Relation = { many: 'geo.review', fields: ['id', 'at'], flatten: 'at' }
    expect(plan({ relation }).warnings).toEqual([
      'documents.city.relations.r.fields: "flatten" takes at alone, id is not used',
    ])
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
  ])('missing indexes: %s', (_, world, expected) => {
    expect(plan(world).missingIndexes.map(({ why, sql }) => `${why}: ${sql}`)).toEqual(expected)
  })
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
      'unknown table',
      { relation: { many: 'geo.reviews' } },
      /r\.many: there is no table "geo\.reviews" \(did you mean "geo\.review"\?\)/,
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
  ])('%s', (_, world, expected) => expect(refusal(world)).toMatch(expected))

  it('but a related row may have such a name', () => {
    expect(
      plan({ relation: { many: 'geo.city' }, tables: [reserved], definition: { fields: ['id'] } }).mappings,
    ).toMatchObject({
      properties: { r: { properties: { _id: { type: 'integer' } } } },
    })
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
