import type pg from 'pg'
import type { DocumentDefinition } from '../../src/config/types.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { installView, load, SCHEMA } from './documents-fixture.ts'

/** Cities of countries, with a region above, reviews and their authors, languages, and a partitioned table of visits. */
export const GEO = `
  CREATE SCHEMA geo;
  CREATE TABLE geo.continent (code text PRIMARY KEY, name text NOT NULL);
  CREATE TABLE geo.country (code char(2) PRIMARY KEY, name text NOT NULL, continent text REFERENCES geo.continent, since date);
  CREATE TABLE geo.language (code text PRIMARY KEY, name text NOT NULL);
  CREATE TABLE geo.country_language (
    country_code char(2) REFERENCES geo.country, language text REFERENCES geo.language, PRIMARY KEY (country_code, language));
  CREATE INDEX ON geo.country_language (language);
  CREATE TABLE geo.city (
    id int PRIMARY KEY, name text, country_code char(2) REFERENCES geo.country, parent_id int REFERENCES geo.city,
    active bool NOT NULL DEFAULT true, tenant_id text, secret text);
  CREATE INDEX ON geo.city (country_code);
  CREATE INDEX ON geo.city (parent_id);
  CREATE TABLE geo.author (id bigint PRIMARY KEY, name text NOT NULL, country_code char(2) REFERENCES geo.country);
  CREATE TABLE geo.review (
    id int PRIMARY KEY, city_id int REFERENCES geo.city, author_id bigint REFERENCES geo.author, stars int, title text,
    at timestamptz NOT NULL DEFAULT '2024-01-01 00:00+00', approved bool NOT NULL DEFAULT true);
  CREATE INDEX ON geo.review (city_id);
  CREATE INDEX ON geo.review (author_id);
  CREATE TABLE geo.visit (city_id int REFERENCES geo.city, day date, people int, PRIMARY KEY (city_id, day)) PARTITION BY RANGE (day);
  CREATE TABLE geo.visit_2023 PARTITION OF geo.visit FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
  CREATE TABLE geo.visit_rest PARTITION OF geo.visit DEFAULT;

  INSERT INTO geo.continent VALUES ('EU', 'Europe'), ('AS', 'Asia');
  INSERT INTO geo.country VALUES ('CH', 'Schweiz', 'EU', '1291-08-01'), ('JP', 'Japan', 'AS', NULL), ('XX', 'Nowhere', NULL, NULL);
  INSERT INTO geo.language VALUES ('de', 'Deutsch'), ('fr', 'Français'), ('ja', 'Japanese');
  INSERT INTO geo.country_language VALUES ('CH', 'fr'), ('CH', 'de'), ('JP', 'ja');
  INSERT INTO geo.city VALUES
    (1, 'Zürich', 'CH', NULL, true, 'a', 's'), (2, 'Altstadt', 'CH', 1, true, 'a', 's'), (3, 'Tokyo', 'JP', NULL, true, 'b', 's'),
    (4, 'Atlantis', NULL, NULL, true, NULL, 's'), (5, 'Hidden', 'CH', 1, false, 'a', 's');
  INSERT INTO geo.author VALUES (7, 'Ada', 'JP'), (8, 'Bob', NULL);
  INSERT INTO geo.review VALUES
    (10, 1, 7, 5, 'good', '2024-03-01 12:00+04', true), (11, 1, NULL, 1, 'bad', '2024-03-02 00:00+00', true),
    (12, 1, 8, 5, 'fine', '2024-03-03 00:00+00', true), (13, 1, 8, 4, 'spam', '2024-03-04 00:00+00', false),
    (14, 3, 7, NULL, NULL, '2024-03-05 00:00+00', true), (15, NULL, 7, 3, 'lost', '2024-03-05 00:00+00', true);
  INSERT INTO geo.visit VALUES (1, '2023-05-01', 10), (1, '2024-05-01', 20), (3, '2024-06-01', 30)`

/** A city with every kind of relation. */
export const CITY: Omit<DocumentDefinition, 'index'> = {
  table: 'geo.city',
  where: 'active',
  fields: { id: 'id', 'name.full': 'name' },
  relations: {
    country: {
      one: 'geo.country',
      fields: ['code', 'since'],
      relations: { continent: { one: 'geo.continent', flatten: 'name' } },
    },
    reviews: {
      many: 'geo.review',
      where: 'approved',
      fields: { id: 'id', at: 'at', slug: { sql: 'upper(title)' } },
      orderBy: ['stars desc', 'title'],
      limit: 2,
      nested: true,
      relations: {
        author: {
          one: 'geo.author',
          fields: ['name'],
          relations: { home: { one: 'geo.country', fields: ['name'] } },
        },
      },
    },
    languages: {
      many: 'geo.language',
      through: { table: 'geo.country_language', on: { country_code: 'country_code' } },
      flatten: 'name',
    },
    parent: { one: 'geo.city', fields: ['name'] },
    parts: {
      many: 'geo.city',
      on: { id: 'parent_id' },
      where: 'active',
      fields: ['id'],
      relations: { within: { one: 'geo.city', fields: ['name'] } },
    },
    visits: { many: 'geo.visit', omit: ['city_id'] },
  },
}

/** The documents of some keys, by key; one that is absent is missing. */
export async function documents(
  pool: pg.Pool,
  plan: DocumentPlan,
  keys: readonly string[],
): Promise<Record<string, unknown>> {
  const loaded = await load(pool, plan, keys)
  return Object.fromEntries(loaded.map(({ key, document }) => [key, JSON.parse(document)]))
}

/** Creates the expansion views of a plan. */
export async function installLinks(pool: pg.Pool, plan: DocumentPlan): Promise<void> {
  for (const { expansion } of plan.sources) {
    if (expansion === null) continue
    await pool.query(`DROP VIEW IF EXISTS ${quoted(expansion.view)}`)
    await pool.query(expansion.viewSql)
  }
}

/** Creates the view of a document and its expansion views. */
export async function installRelated(
  pool: pg.Pool,
  definition: Omit<DocumentDefinition, 'index'>,
  name?: string,
): Promise<DocumentPlan> {
  const plan = await installView(pool, definition, name)
  await installLinks(pool, plan)
  return plan
}

/** Keys of the documents that a mark of these values would concern, sorted. */
export async function expand(
  db: pg.Pool | pg.ClientBase,
  plan: DocumentPlan,
  source: string,
  values: readonly (string | null)[],
): Promise<string[]> {
  const expansion = plan.sources.find((candidate) => candidate.source === source)?.expansion
  if (expansion === null || expansion === undefined) throw new Error(`${source} has no expansion`)
  const conditions = expansion.links.map((type, n) => `v.link_${n + 1} = $${n + 1}::text::${type}`)
  const { rows } = await db.query<{ key: string }>(
    `SELECT v.key FROM ${quoted(expansion.view)} v WHERE ${conditions.join(' AND ')} ORDER BY v.key COLLATE "C"`,
    [...values],
  )
  return rows.map(({ key }) => key)
}

function quoted(view: string): string {
  return [SCHEMA, view].map((name) => `"${name.replaceAll('"', '""')}"`).join('.')
}
