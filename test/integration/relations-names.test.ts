import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { planIn } from './documents-fixture.ts'
import { documents, expand, GEO, installRelated } from './relations-fixture.ts'

/** What a name means: in the configuration, in a snippet, and when it was changed later. */

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(GEO)
})
afterAll(() => database.drop())

const sql = (text: string) => database.pool.query(text)
const install = (definition: Omit<DocumentDefinition, 'index'>, name?: string) =>
  installRelated(database.pool, definition, name)

describe('names', () => {
  it('may need quotes, be reserved words, or look like our own', async () => {
    await sql(`CREATE SCHEMA "odd ""schema""";
      CREATE TABLE "odd ""schema"""."select" ("from" int PRIMARY KEY, "it's" text, sluice_row_1 int, "group" int);
      CREATE TABLE "odd ""schema""".sluice_row_1 ("order" int PRIMARY KEY, parent int, o int, "a.b" text, sluice_row_0 text, sluice_up_1 int);
      CREATE TABLE "odd ""schema""".sluice_row_0 (id int PRIMARY KEY, child int REFERENCES "odd ""schema""".sluice_row_1, sluice_row_1 text);
      INSERT INTO "odd ""schema"""."select" VALUES (1, 'q', 2, 3);
      INSERT INTO "odd ""schema""".sluice_row_1 VALUES (1, 1, 4, 'dotted', 'text', 9);
      INSERT INTO "odd ""schema""".sluice_row_0 VALUES (7, 1, 'inner')`)
    const plan = await install({
      table: '"odd ""schema""".select',
      relations: {
        'ein "Kind" 🙂': {
          many: '"odd ""schema""".sluice_row_1',
          on: { from: 'parent' },
          where: `sluice_row_1."a.b" = 'dotted' AND sluice_row_0 = 'text'`,
          fields: { order: 'order', o: 'o', row: { sql: '(sluice_row_1).o' }, own: 'sluice_up_1' },
          orderBy: 'order desc',
          relations: { 'd\'r"in': { many: '"odd ""schema""".sluice_row_0', flatten: 'sluice_row_1' } },
        },
      },
    })
    expect(await documents(database.pool, plan, ['1'])).toEqual({
      1: {
        from: 1,
        "it's": 'q',
        sluice_row_1: 2,
        group: 3,
        'ein "Kind" 🙂': [{ order: 1, o: 4, row: 4, own: 9, 'd\'r"in': ['inner'] }],
      },
    })
    expect(await expand(database.pool, plan, 'ein "Kind" 🙂.d\'r"in', ['1'])).toEqual(['1'])
    expect(plan.missingIndexes.map((index) => index.sql)).toEqual([
      'CREATE INDEX CONCURRENTLY ON "odd ""schema""".sluice_row_1 (parent)',
      'CREATE INDEX CONCURRENTLY ON "odd ""schema""".sluice_row_0 (child)',
    ])
    for (const { sql: text } of plan.missingIndexes) await sql(text)
  })

  it('in a snippet mean its own table: its columns, its whole row, whatever is around it', async () => {
    await sql(`CREATE TABLE owner (id int PRIMARY KEY, pet text, name text);
      CREATE TABLE pet (id int PRIMARY KEY, owner_id int REFERENCES owner, name text, owner text);
      INSERT INTO owner VALUES (1, 'column of owner', 'Ann'); INSERT INTO pet VALUES (2, 1, 'Rex', 'column of pet')`)
    const plan = await install({
      table: 'owner',
      fields: { whole: { sql: 'to_json(owner)' } },
      relations: {
        pets: {
          many: 'pet',
          fields: { name: { sql: 'name' }, whole: { sql: 'to_json(pet)' }, other: { sql: 'owner' } },
        },
      },
    })
    expect(await documents(database.pool, plan, ['1'])).toEqual({
      1: {
        whole: { id: 1, pet: 'column of owner', name: 'Ann' },
        pets: [
          {
            name: 'Rex',
            whole: { id: 2, owner_id: 1, name: 'Rex', owner: 'column of pet' },
            other: 'column of pet',
          },
        ],
      },
    })
    expect(plan.sources[1]?.usedColumns).toEqual(['id', 'owner_id', 'name', 'owner'])
  })

  it('in the same snippet mean something else over another table', async () => {
    await sql(`CREATE TABLE outside (id int PRIMARY KEY, val int);
      CREATE TABLE inside (id int PRIMARY KEY, outside_id int REFERENCES outside, val timestamptz);
      INSERT INTO outside VALUES (1, 2); INSERT INTO inside VALUES (1, 1, '2024-01-01 00:00+00')`)
    const fields = { val: { sql: 'val' } }
    const plan = await install({
      table: 'outside',
      fields,
      relations: { inside: { many: 'inside', fields } },
    })
    expect(plan.mappings).toMatchObject({
      properties: { val: { type: 'integer' }, inside: { properties: { val: { type: 'date' } } } },
    })
    expect(await documents(database.pool, plan, ['1'])).toEqual({
      1: { val: 2, inside: [{ val: '2024-01-01T00:00:00Z' }] },
    })
  })

  it('in a snippet of a related row are named by its path where they are wrong', async () => {
    const relations = (where: string) => ({ country: { one: 'geo.country', where } })
    await expect(
      planIn(database.pool, { table: 'geo.city', relations: relations('random() > 0') }),
    ).rejects.toThrow(
      /^documents\.thing\.relations\.country\.where: "random\(\) > 0" calls random\(\), which is volatile/,
    )
    await expect(
      planIn(database.pool, { table: 'geo.city', relations: relations('active') }),
    ).rejects.toThrow(/^documents\.thing\.relations\.country\.where: Postgres refuses "active"/)
    await expect(planIn(database.pool, { table: 'geo.city', relations: relations('name') })).rejects.toThrow(
      /^documents\.thing\.relations\.country\.where: "name" is text, and a condition is needed/,
    )
  })

  it('of views are cut where they are too long, and stay different', async () => {
    const names = ['ä', 'ö'].map((end) => `${'ü'.repeat(28)}${end}`)
    const relations = Object.fromEntries(names.map((name) => [name, { many: 'geo.city', fields: ['id'] }]))
    const plan = await install({ table: 'geo.country', fields: ['code'], relations })
    const views = plan.sources.flatMap(({ expansion }) => expansion?.view ?? [])
    expect(new Set(views).size).toBe(2)
    for (const view of views) expect(Buffer.byteLength(view)).toBeLessThanOrEqual(63)
  })
})

describe('installed views of a document of many tables', () => {
  it('follow renamed tables and columns', async () => {
    await sql(`CREATE TABLE team (id int PRIMARY KEY, name text);
      CREATE TABLE player (id int PRIMARY KEY, team_id int REFERENCES team, name text, fit bool);
      INSERT INTO team VALUES (1, 't'); INSERT INTO player VALUES (2, 1, 'p', true)`)
    const plan = await install(
      { table: 'team', relations: { players: { many: 'player', where: 'fit', fields: ['name'] } } },
      'team',
    )
    const before = await documents(database.pool, plan, ['1'])
    expect(before).toEqual({ 1: { id: 1, name: 't', players: [{ name: 'p' }] } })
    await sql(`ALTER TABLE player RENAME COLUMN name TO title; ALTER TABLE player RENAME COLUMN team_id TO club_id;
      ALTER TABLE player RENAME COLUMN fit TO healthy; ALTER TABLE player RENAME TO athlete; ALTER TABLE team RENAME COLUMN id TO no`)
    expect(await documents(database.pool, plan, ['1'])).toEqual(before)
    expect(await expand(database.pool, plan, 'players', ['1'])).toEqual(['1'])
    await expect(sql('ALTER TABLE athlete DROP COLUMN title')).rejects.toMatchObject({
      code: '2BP01',
      detail: expect.stringContaining('document_team'),
    })
    await expect(sql('ALTER TABLE team DROP COLUMN no')).rejects.toMatchObject({
      detail: expect.stringContaining('links_team.players'),
    })
  })
})
