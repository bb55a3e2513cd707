import { describe, expect, it } from 'vitest'
import { importPgsync } from '../../src/cli/pgsync/import.ts'
import { child, translate } from './pgsync-file.ts'

/** Schema files of PGSync: what they become, and what is said of the rest. */

it('null stands for what is left out', () => {
  const row = {
    schema: null,
    label: null,
    columns: null,
    primary_key: null,
    base_tables: null,
    transform: null,
  }
  const link = { through_tables: null, foreign_key: null }
  const nulls = { database: null, setting: null, mapping: null, pipeline: null, routing: null, plugins: null }
  const root = { table: 'actor', ...row, children: [child({ ...row, children: null }, link)] }
  expect(translate(root, { ...nulls, index: null })).toEqual({
    definitions: [{ table: 'actor', index: 'video', relations: { actor: { many: 'actor' } } }],
    todo: [],
    notes: [],
    remedies: [],
  })
  const transform = { rename: null, mapping: null }
  expect(translate({ table: 'actor', transform, children: null }).definitions).toEqual([
    { table: 'actor', index: 'films' },
  ])
})

describe('what has a counterpart', () => {
  it('columns, their new names, and paths into JSON', () => {
    const { definitions, todo } = translate({
      table: 'film',
      columns: ['id', 'title', 'title', 'meta->stars->0->>name', 'meta#>>{a,b}'],
      transform: { rename: { title: 'name', meta_stars_0_name: 'star' } },
    })
    expect(definitions).toEqual([
      {
        table: 'film',
        index: 'films',
        fields: {
          id: 'id',
          name: 'title',
          star: { sql: "meta -> 'stars' -> 0 ->> 'name'" },
          'meta_a,b': { sql: "meta #>> '{a,b}'" },
        },
      },
    ])
    expect(todo).toEqual([])
  })

  it('all columns, until one of them is renamed', () => {
    expect(translate({ table: 'actor' }).definitions).toEqual([{ table: 'actor', index: 'films' }])
    const renamed = translate({ table: 'actor', columns: [], transform: { rename: { name: 'stage_name' } } })
    expect(renamed.definitions).toMatchObject([{ fields: { id: 'id', stage_name: 'name' } }])
  })

  it('children to any depth, with their mappings and links', () => {
    const { definitions, todo } = translate({
      table: 'film',
      columns: ['id'],
      transform: { rename: { actor: 'cast' }, mapping: { id: { type: 'long' } } },
      children: [
        {
          ...child(
            { columns: ['name'], transform: { mapping: { name: { type: 'keyword' } } } },
            { through_tables: ['film_actor'], type: 'ONE_TO_MANY' },
          ),
          children: [
            child(
              { table: 'rental', schema: 'Desk', label: 'first', columns: ['day'] },
              { type: 'one_to_one', foreign_key: { parent: ['id'], child: ['shop'] } },
            ),
          ],
        },
        child(
          { columns: ['name'], label: 'names', transform: { mapping: { name: { type: 'text' } } } },
          { variant: 'scalar', through_tables: ['links.film_actor'] },
        ),
      ],
    })
    expect(definitions).toEqual([
      {
        table: 'film',
        index: 'films',
        fields: ['id'],
        relations: {
          cast: {
            many: 'actor',
            through: { table: 'film_actor' },
            fields: ['name'],
            relations: { first: { one: 'Desk.rental', on: { id: 'shop' }, fields: ['day'] } },
          },
          names: { many: 'actor', through: { table: 'links.film_actor' }, flatten: 'name' },
        },
        mappings: {
          properties: {
            cast: { properties: { name: { type: 'keyword' } } },
            names: { type: 'text' },
            id: { type: 'long' },
          },
        },
      },
    ])
    expect(todo).toEqual([])
  })

  it('a foreign key of one column, written as a text', () => {
    const link = { foreign_key: { child: 'film_id', parent: 'id' } }
    const { definitions } = translate({ table: 'film', children: [child({}, link)] })
    expect(definitions).toMatchObject([{ relations: { actor: { on: { id: 'film_id' } } } }])
  })

  it('settings, pipeline, routing, a key, mappings of the document; a list of one root', () => {
    const { definitions, todo } = translate([{ table: 'film', columns: ['id'], primary_key: ['title'] }], {
      setting: { number_of_shards: 2 },
      pipeline: 'enrich',
      routing: 'title',
      mapping: { properties: { id: { type: 'long' } } },
    })
    expect(definitions).toEqual([
      {
        table: 'film',
        index: 'films',
        id: ['title'],
        fields: ['id'],
        routing: 'title',
        pipeline: 'enrich',
        settings: { number_of_shards: 2 },
        mappings: { properties: { id: { type: 'long' } } },
      },
    ])
    expect(todo).toEqual([])
  })
})

describe('what has none is named', () => {
  it('in a transform, with the SQL that says it', () => {
    const { todo, remedies } = translate({
      table: 'film',
      columns: ['id', 'title'],
      transform: {
        rename: { title: 'name', nmae: 'x', id: {} },
        concat: [
          { columns: ['name', 'id', "it's"], destination: 'all', delimiter: '-' },
          { destination: 'none' },
        ],
        replace: { title: { a: 'b', "'": '"' } },
        move: { column: 'id' },
      },
    })
    expect(todo).toEqual([
      '[0].nodes.transform.rename.nmae: renames what the node does not have',
      '[0].nodes.transform.rename.id: is no text',
      '[0].nodes.transform.concat[0]: was not translated',
      '[0].nodes.transform.concat[1]: was not translated: {"destination":"none"}',
      '[0].nodes.transform.replace.title: was not translated (many releases of PGSync do not carry it out either)',
      '[0].nodes.transform.move: was not translated: {"column":"id"}',
    ])
    expect(remedies).toContain(
      `Add it to "fields": all: sql(${JSON.stringify("concat_ws('-', title, id, 'it''s')")})`,
    )
    expect(remedies).toContain(
      `Put it into "fields": name: sql(${JSON.stringify(`replace(replace(title, 'a', 'b'), '''', '"')`)})`,
    )
  })

  it('in a relationship', () => {
    const { definitions, todo, notes } = translate({
      table: 'film',
      children: [
        child(
          { label: 'a.b' },
          { type: 'one_to_one', through_tables: ['x'], foreign_key: { child: 'a', parent: 'b' } },
        ),
        child({ label: 'a_b' }),
        child({ label: 'actors' }, { foreign_key: { child: ['a', 'b'], parent: ['c'] }, order: 'name' }),
        child({ label: 'names', children: [child({})] }, { variant: 'scalar' }),
        child({ table: 'nobody', label: 'none' }, { variant: 'scalar' }),
      ],
    })
    expect(todo).toEqual([
      '[0].nodes.children[0].relationship.type: one_to_one by a table in between became a list of such rows: searches are the same, readers get a list',
      '[0].nodes.children[0].relationship.foreign_key: was not translated beside through_tables: the foreign keys of the table in between are taken',
      '[0].nodes.children[0].label: "a.b" became "a_b": no dot, no colon',
      '[0].nodes.children[1]: is called a_b, as a child before it: it is left out',
      '[0].nodes.children[2].relationship.foreign_key: has not as many columns in "parent" as in "child"',
      '[0].nodes.children[2].relationship.order: was not translated',
      '[0].nodes.children[3].children: stands below a scalar, which has no place for it',
      '[0].nodes.children[4].columns: names no column, and a scalar needs one',
    ])
    expect(notes).toEqual([
      '[0].nodes.children[3].columns: of a scalar PGSync takes the first column, id; the others are left out',
      '[0].nodes.columns: "actors" is a child\'s label too, and the child\'s is what PGSync shows',
    ])
    expect(definitions).toMatchObject([
      { omit: ['actors'], relations: { a_b: { many: 'actor' }, names: { flatten: 'id' } } },
    ])
  })

  it('in a document: plugins, unknown keys, more roots, base tables, odd and shared index names', () => {
    const { definitions, todo, notes, remedies } = translate(
      [{ table: 'film', base_tables: ['a'], colour: 1 }, { table: 'actor' }],
      { index: '_My Films', plugins: ['Hero', 'Anti'], es: {}, database: 'other' },
      [
        { index: '_My Films', nodes: { table: 'rental', schema: 'Desk' }, database: 'other' },
        { database: 'other', nodes: { table: 'actor' } },
      ],
    )
    expect(todo).toEqual([
      '[0].nodes[1]: is a second root, which PGSync ignores',
      '[0].nodes[0].colour: was not translated',
      '[0].nodes[0].base_tables: was not translated: a view is read by "sql", and "dependsOn" names a',
      '[0].plugins: was not translated: Hero, Anti is Python',
      '[0].es: was not translated',
      '[0].index: "_My Films" must be lower case',
      '[1].index: "_My Films" must be lower case',
      '[1].index: "my_films" is another document\'s, and here each has an index of its own',
    ])
    expect(notes).toContain('[1].nodes: the _id is day:shop; PGSync joined it with "|"')
    expect(notes).toContain('[0].database: is other; DATABASE_URL names the database, here video')
    expect(remedies).toContain('Search "my_films", or choose another.')
    expect(remedies).toContain('Search "my_films,my_films_rental" to search both.')
    expect(definitions.map(({ index }) => index)).toEqual(['my_films', 'my_films_rental', 'other'])
  })

  it('an index of which nothing can stay is called as its table', () => {
    const { definitions } = translate({ table: 'Rental', schema: 'Desk' }, { index: '***' })
    expect(definitions).toMatchObject([{ index: 'rental' }])
    expect(translate({ table: 'film' }, { index: 'A**b' }).definitions).toMatchObject([{ index: 'a_b' }])
    expect(translate({ table: 'film' }, { index: '__A**b-_c' }).definitions).toMatchObject([
      { index: 'a_b-_c' },
    ])
  })

  it('a key is stated where it is not the primary key', () => {
    const idOf = (primary_key: readonly string[]) =>
      translate({ table: 'rental', schema: 'Desk', primary_key }).definitions[0]?.id
    expect(idOf(['day', 'shop'])).toBeUndefined()
    expect(idOf(['day'])).toEqual(['day'])
    expect(idOf(['shop', 'day'])).toEqual(['shop', 'day'])
    expect(idOf(['day', 'at'])).toEqual(['day', 'at'])
    expect(translate({ table: 'nobody', primary_key: ['id'] }, { plugins: [] })).toMatchObject({
      definitions: [{ table: 'nobody', id: ['id'] }],
      todo: [],
    })
  })

  it('of several databases, those that this one is not', () => {
    const [ours, other] = [{ database: 'video' }, { database: 'music', nodes: { table: 'actor' } }]
    expect(translate({ table: 'film' }, ours, [other]).definitions).toHaveLength(1)
    expect(translate({ table: 'film' }, ours)).toMatchObject({ todo: [], notes: [] })
    const { definitions, todo } = translate({ table: 'film' }, { database: 'video' }, [
      { database: 'music', nodes: { table: 'actor' } },
      { nodes: { table: 'actor' } },
    ])
    expect(definitions).toHaveLength(1)
    expect(todo).toEqual([
      '[1].database: is music, and DATABASE_URL leads to video: the document is left out',
      '[2].database: is missing, and DATABASE_URL leads to video: the document is left out',
    ])
  })
})

it('a file that cannot be read is said before a database is asked', async () => {
  const connect = () => Promise.reject(new Error('the database was asked'))
  await expect(importPgsync(connect, '/nowhere/schema.json', 'sluice')).rejects.toThrow('cannot be read')
})
