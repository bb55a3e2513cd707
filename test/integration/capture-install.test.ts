import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { detach } from '../../src/capture/detach.ts'
import { uninstall } from '../../src/capture/uninstall.ts'
import { planOf, type RelatedWorld, relatedWorld, sourcesOf, tables } from './related-world.ts'

// What install creates for a document of several tables, and what takes it away again.
const schema = 'Our Schema'
let world: RelatedWorld
let pool: pg.Pool

beforeAll(async () => {
  world = await relatedWorld(schema)
  pool = world.pool
})
afterAll(() => world.drop())

beforeEach(async () => {
  await pool.query('DROP SCHEMA IF EXISTS geo CASCADE')
  await removeAll()
  await pool.query(tables)
  await pool.query(`DELETE FROM "${schema}".sync_queue`)
})

async function removeAll() {
  await uninstall({
    pool,
    schema,
    elasticsearch: null,
    document: (await pool.query(`SELECT FROM "${schema}".sync_document`)).rowCount === 0 ? null : 'city',
    keepIndices: true,
    confirm: async ({ dropSchema }) => !dropSchema,
    onWait: () => {},
  })
}

/** All that we have in the database besides our tables, and the triggers on the application's. */
async function objects(): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT 'view ' || c.relname AS name FROM pg_class c
      WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'v' AND c.relname !~ '^sync_'
     UNION ALL SELECT 'function ' || p.proname FROM pg_proc p
      WHERE p.pronamespace = $1::regnamespace AND p.proname ~ '^(key|row|changed|capture)_'
     UNION ALL SELECT 'trigger on ' || t.tgrelid::regclass FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
      WHERE p.pronamespace = $1::regnamespace
     UNION ALL SELECT 'source ' || source || ' of ' || relation::regclass FROM "${schema}".sync_source
      ORDER BY name`,
    [`"${schema}"`],
  )
  return rows.map(({ name }) => name)
}

const fill = `
  INSERT INTO geo.country VALUES ('ch', 'Switzerland');
  INSERT INTO geo.city VALUES (1, 'Bern', 'ch');
  INSERT INTO geo.review VALUES (1, 1, 'fine', true)`

describe('install', () => {
  it('creates views, functions and triggers for each table, and has nothing to do after that', async () => {
    const steps = await world.install(planOf(schema))
    expect(steps.filter((step) => step.startsWith('create view'))).toEqual([
      'create view document_city',
      'create view links_city.country',
      'create view links_city.reviews',
    ])
    expect(await world.install(planOf(schema))).toEqual([])
    const names = await objects()
    expect(names).toEqual(
      expect.arrayContaining([
        'function changed_city.country',
        'function key_city.reviews',
        'function row_city.reviews',
        'source  of geo.city',
        'source country of geo.country',
        'source reviews of geo.review',
      ]),
    )
    expect(names.filter((name) => name === 'trigger on geo.review')).toHaveLength(4)
    expect(await world.marksOf(fill)).toEqual(['insert country ch', 'insert 1', 'insert reviews 1'])
    const { rows } = await pool.query(`SELECT link_1, key FROM "${schema}"."links_city.country"`)
    expect(rows).toEqual([{ link_1: 'ch', key: '1' }])
  })

  it('adds a relation without a word of triggers that were missing, and takes it away whole', async () => {
    const [root, country, reviews] = sourcesOf(schema)
    await world.install(planOf(schema, [root, country]))
    const before = await objects()
    const added = await world.changes(planOf(schema, [root, country, reviews]))
    expect(added).toMatchObject({ missedChanges: false, sourcesAdded: true, viewChanged: true })
    await world.install(planOf(schema, [root, country, reviews]))
    expect(await world.install(planOf(schema, [root, country]))).toEqual(
      expect.arrayContaining([
        'change view document_city',
        'remove view links_city.reviews',
        'remove trigger Our Schema_city.reviews_insert on geo.review',
      ]),
    )
    expect(await objects()).toEqual(before)
  })

  it.each<[name: string, damage: string, step: string]>([
    [
      'a view of links that is gone',
      `DROP VIEW "${schema}"."links_city.reviews"`,
      'create view links_city.reviews',
    ],
    [
      'a trigger of a related table that is gone',
      `DROP TRIGGER "${schema}_city.country_update" ON geo.country`,
      'create trigger Our Schema_city.country_update on geo.country',
    ],
    [
      'one that is switched off',
      `ALTER TABLE geo.country DISABLE TRIGGER "${schema}_city.country_update"`,
      'change trigger Our Schema_city.country_update on geo.country (it was switched off)',
    ],
    [
      'a function that is gone',
      `DROP FUNCTION "${schema}"."row_city.reviews"`,
      'create function row_city.reviews',
    ],
  ])('mends %s', async (_, damage, step) => {
    await world.install(planOf(schema))
    await pool.query(damage)
    expect(await world.changes(planOf(schema))).toMatchObject({ viewChanged: step.startsWith('create view') })
    expect(await world.install(planOf(schema))).toContain(step)
    expect(await world.install(planOf(schema))).toEqual([])
  })

  it.each([
    ['', ''],
    [
      ', also where its notes are those of a database it was restored from',
      `UPDATE "${schema}".sync_source SET relation = 0`,
    ],
  ])(
    'notices a related table that was swapped by renaming, and moves triggers and views%s',
    async (_, restored) => {
      await world.install(planOf(schema))
      await pool.query(`${restored};
      CREATE TABLE geo.country_new (LIKE geo.country INCLUDING ALL);
      ALTER TABLE geo.country RENAME TO country_old;
      ALTER TABLE geo.country_new RENAME TO country`)
      const changes = await world.changes(planOf(schema))
      expect(changes).toMatchObject({ missedChanges: true, sourcesAdded: false })
      expect(await world.install(planOf(schema))).toEqual(
        expect.arrayContaining([
          'change view document_city',
          'create trigger Our Schema_city.country_insert on geo.country',
          'remove trigger Our Schema_city.country_insert on geo.country_old',
        ]),
      )
      expect(await world.install(planOf(schema))).toEqual([])
      expect(
        await world.marksOf("INSERT INTO geo.country VALUES ('at'); DELETE FROM geo.country_old"),
      ).toEqual(['insert country at'])
    },
  )

  it('notices two tables of the document that swapped their names', async () => {
    const [root, country, reviews] = sourcesOf(schema)
    const twice = { ...country, source: 'origin', table: { schema: 'geo', name: 'origin' } }
    const expansion = country.expansion && {
      ...country.expansion,
      view: 'links_city.origin',
      viewSql: country.expansion.viewSql.replace('links_city.country', 'links_city.origin'),
    }
    const plan = planOf(schema, [root, country, reviews, { ...twice, expansion }])
    await pool.query('CREATE TABLE geo.origin (LIKE geo.country INCLUDING ALL)')
    await world.install(plan)
    await pool.query(`
      ALTER TABLE geo.city DROP CONSTRAINT city_country_code_fkey;
      ALTER TABLE geo.country RENAME TO x; ALTER TABLE geo.origin RENAME TO country; ALTER TABLE geo.x RENAME TO origin`)
    expect(await world.install(plan)).toContain('change view document_city')
    expect(await world.install(plan)).toEqual([])
    await pool.query(fill)
    const { rows } = await pool.query(
      `SELECT document::json #>> '{country,name}' AS name FROM "${schema}".document_city`,
    )
    expect(rows).toEqual([{ name: 'Switzerland' }])
  })

  it('has triggers fire for replicated rows where a table is subscribed to', async () => {
    const [root, country, reviews] = sourcesOf(schema)
    const subscribed = { ...reviews, capture: 'row', always: true } as const
    await world.install(planOf(schema, [root, country, reviews]))
    expect(await world.install(planOf(schema, [root, country, subscribed]))).toContain(
      'change trigger Our Schema_city.reviews_insert on geo.review',
    )
    expect(await world.install(planOf(schema, [root, country, subscribed]))).toEqual([])
    await pool.query(`ALTER TABLE geo.review ENABLE TRIGGER "${schema}_city.reviews_insert"`)
    expect(await world.install(planOf(schema, [root, country, subscribed]))).toContain(
      'change trigger Our Schema_city.reviews_insert on geo.review (it did not fire for replicated rows)',
    )
    expect(await world.install(planOf(schema, [root, country, subscribed]))).toEqual([])
  })
})

describe('what takes it away', () => {
  it('detach: everything, in one statement', async () => {
    const before = await objects()
    await world.install(planOf(schema))
    expect(await detach(pool, schema, 'city')).toBe(12)
    expect(await objects()).toEqual(before)
    expect(await world.marksOf(fill)).toEqual([])
    await world.install(planOf(schema))
    expect(await world.marksOf("UPDATE geo.country SET name = 'x'")).toEqual(['update country ch'])
  })

  it('uninstall: everything', async () => {
    const before = await objects()
    await world.install(planOf(schema))
    await removeAll()
    expect(await objects()).toEqual(before)
    await pool.query(fill)
  })
})

describe('migrations of a related table', () => {
  beforeEach(async () => {
    await world.install(planOf(schema))
    await world.marksOf(fill)
  })

  it('a renamed column or table is followed', async () => {
    expect(
      await world.marksOf(`
        ALTER TABLE geo.review RENAME body TO said; ALTER TABLE geo.review RENAME city_id TO city;
        ALTER TABLE geo.review RENAME TO opinion;
        UPDATE geo.opinion SET said = 'x'; UPDATE geo.opinion SET hits = 1; UPDATE geo.opinion SET city = 2`),
    ).toEqual(['update reviews 1', 'update reviews 1,2'])
  })

  it.each([
    ['a used column', 'ALTER TABLE geo.review DROP approved', /changed_city\.reviews/],
    ['the link', 'ALTER TABLE geo.review DROP city_id', /key_city\.reviews/],
    ['the key', 'ALTER TABLE geo.review DROP id', /row_city\.reviews/],
    ['the table', 'DROP TABLE geo.review', /key_city\.reviews/],
  ])('dropping %s is refused, naming what uses it', async (_, sql, named) => {
    const error = await pool.query(sql).then(
      () => null,
      (e: unknown) => e,
    )
    if (!(error instanceof pg.DatabaseError)) throw new Error('it was not refused')
    expect(error.detail).toMatch(named)
    expect(await world.marksOf("UPDATE geo.review SET body = 'y'")).toEqual(['update reviews 1'])
  })

  it.each([
    ['a used column', 'ALTER TABLE geo.review DROP approved CASCADE'],
    ['what tells rows apart', 'ALTER TABLE geo.review DROP id CASCADE; ALTER TABLE geo.review ADD nr int'],
    ['the link', 'ALTER TABLE geo.review DROP city_id CASCADE'],
  ])('dropped with CASCADE, %s: the update succeeds, and marks all roots', async (_, sql) => {
    expect(
      await world.marksOf(`${sql}; UPDATE geo.review SET hits = 7; UPDATE geo.review SET hits = 8`),
    ).toEqual(['alarm reviews everything'])
    expect((await pool.query('SELECT hits FROM geo.review')).rows).toEqual([{ hits: 8 }])
    expect(await world.marksOf("UPDATE geo.city SET name = 'x'")).toEqual(['update 1'])
  })

  it('virtual generated columns are compared by what they are computed from', async ({ skip }) => {
    const { rows } = await pool.query<{ v: number }>("SELECT current_setting('server_version_num')::int AS v")
    if ((rows[0]?.v ?? 0) < 180_000) skip('virtual generated columns came with Postgres 18')
    await pool.query(
      'ALTER TABLE geo.review ADD stars int, ADD good boolean GENERATED ALWAYS AS (stars > 3) VIRTUAL',
    )
    const [root, country, reviews] = sourcesOf(schema)
    const used = ['id', 'city_id', 'stars']
    await world.install(planOf(schema, [root, country, { ...reviews, usedColumns: used }]))
    expect(await world.marksOf('UPDATE geo.review SET stars = 4')).toEqual(['update reviews 1'])
    expect(await world.marksOf('UPDATE geo.review SET hits = 1')).toEqual([])
  })
})
