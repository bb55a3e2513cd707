import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareSnapshots } from '../../src/capture/compare-snapshots.ts'
import type { Finding } from '../../src/capture/findings.ts'
import { readMigration } from '../../src/capture/migration-file.ts'
import { tryStatement } from '../../src/capture/try-statement.ts'
import { inUndoneTransaction } from '../../src/capture/undone-transaction.ts'
import { readSnapshot, readWatched } from '../../src/capture/watched.ts'
import { type RelatedWorld, relatedWorld, tables } from './related-world.ts'

// What a migration does to related tables of a document is told as for its root table, with the relation.
let world: RelatedWorld

beforeAll(async () => {
  world = await relatedWorld('sluice')
  await world.pool.query(tables)
  await world.install(await world.planned())
})
afterAll(() => world.drop())

/** Tries a migration and takes it back: its findings, in short. */
function check(sql: string): Promise<string[]> {
  return inUndoneTransaction(world.pool, {}, async (client) => (await findings(client, sql)).map(short))
}

async function findings(client: pg.PoolClient, sql: string): Promise<Finding[]> {
  const watched = await readWatched(client, 'sluice')
  const before = await readSnapshot(client, 'sluice', watched)
  const found: Finding[] = []
  for (const statement of readMigration('1.sql', sql).statements) {
    found.push(...(await tryStatement(client, { file: '1.sql', statement, watched, before })))
  }
  const after = await readSnapshot(client, 'sluice', watched)
  return [...found, ...watched.flatMap((document) => compareSnapshots(document, before, after))]
}

function short({ effect, kind, document, fields, where, what, remedy }: Finding): string {
  const subject = `${document}${fields.length > 0 ? `(${fields.join(',')})` : ''}`
  return [effect, kind, subject, ...(where === null ? [] : [where])].join(' ').concat(`: ${what} → ${remedy}`)
}

test('a dropped column that a relation uses is refused, with its field', async () => {
  expect(await check('ALTER TABLE geo.country DROP name')).toEqual([
    expect.stringMatching(
      /^breaks refused city\(country\.name\) 1\.sql:1: Postgres refuses it for .*changed_city\.country/,
    ),
  ])
  expect(await check('ALTER TABLE geo.review DROP approved')).toEqual([
    expect.stringMatching(/^breaks refused city\(reviews\.where\) 1\.sql:1: /),
  ])
  expect(
    await check('ALTER TABLE geo.review RENAME body TO said; ALTER TABLE geo.review DROP said'),
  ).toContainEqual(expect.stringMatching(/^breaks refused city\(reviews\.text\) 1\.sql:1: /))
})

test('so is the column that leads to a relation', async () => {
  expect(await check('ALTER TABLE geo.city DROP country_code')).toEqual([
    expect.stringMatching(/^breaks refused city\(country\) 1\.sql:1: /),
  ])
  expect(await check('ALTER TABLE geo.review DROP city_id')).toEqual([
    expect.stringMatching(/^breaks refused city\(reviews\) 1\.sql:1: /),
  ])
})

test('a changed type is refused', async () => {
  expect(await check('ALTER TABLE geo.country ALTER name TYPE varchar(10)')).toEqual([
    expect.stringMatching(
      /^breaks refused city\(.*country\.name.*\) 1\.sql:1: .*→ Run it between sluice detach city/,
    ),
  ])
})

test('dropped with CASCADE: what goes along, and what the relation loses', async () => {
  expect(await check('ALTER TABLE geo.country DROP name CASCADE')).toEqual([
    expect.stringMatching(/^breaks lost city: it drops view document_city, function changed_city\.country/),
    'breaks column city(country.name): it drops geo.country.name, which the document uses (documents.city.relations.country) → Take it out of the configuration and run sluice install first.',
  ])
})

test('a dropped related table', async () => {
  expect(await check('DROP TABLE geo.review')).toEqual([
    expect.stringMatching(/^breaks refused city 1\.sql:1: /),
  ])
  expect(await check('DROP TABLE geo.review CASCADE')).toContainEqual(
    'breaks table city(reviews): it drops geo.review (documents.city.relations.reviews) → Take documents.city.relations.reviews out of the configuration and run sluice install first.',
  )
})

test('a renamed column or table', async () => {
  expect(
    await check('ALTER TABLE geo.country RENAME name TO label; ALTER TABLE geo.country RENAME TO land'),
  ).toEqual([
    "changes table city(country): geo.country (documents.city.relations.country) is called geo.land after it: sluice follows → State 'geo.land' in documents.city.relations.country and run sluice install.",
    expect.stringMatching(
      /^changes column city\(country\.name\): geo\.land\.name is called label .*\{ name: 'label' \}/,
    ),
  ])
})

test('a swapped related table', async () => {
  expect(
    await check(`
      CREATE TABLE geo.country_new (LIKE geo.country INCLUDING ALL);
      ALTER TABLE geo.country RENAME TO country_old;
      ALTER TABLE geo.country_new RENAME TO country;`),
  ).toEqual([
    expect.stringMatching(
      /^breaks table city\(country\): geo\.country \(documents\.city\.relations\.country\) is another table after it: .*now geo\.country_old/,
    ),
  ])
})

test('triggers of a related table that are switched off', async () => {
  expect(await check('ALTER TABLE geo.review DISABLE TRIGGER ALL')).toEqual([
    expect.stringMatching(
      /^breaks lost city: it drops or switches off trigger sluice_city\.reviews_delete on geo\.review/,
    ),
  ])
})

test('columns that are no matter for the document', async () => {
  expect(
    await check(
      'ALTER TABLE geo.country DROP area, ADD flag text; ALTER TABLE geo.review ADD note text, ALTER hits TYPE bigint',
    ),
  ).toEqual([])
})
