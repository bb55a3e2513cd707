import type pg from 'pg'
import { applyDatabase } from '../../src/capture/apply-install.ts'
import { type DatabaseChanges, databaseChanges } from '../../src/capture/database-changes.ts'
import { readInventory } from '../../src/capture/inventory.ts'
import { planDocuments } from '../../src/capture/plan-documents.ts'
import { readCatalog } from '../../src/catalog/read-catalog.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import type { DocumentPlan, SourcePlan } from '../../src/documents/types.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { inTransaction } from '../../src/postgres/transaction.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'

/** A city with its country and its reviews. */
const definition: DocumentDefinition = {
  table: 'geo.city',
  index: 'cities',
  fields: ['id', 'name'],
  relations: {
    country: { one: 'geo.country', on: { country_code: 'code' }, fields: ['code', 'name'] },
    reviews: { many: 'geo.review', on: { id: 'city_id' }, fields: { text: 'body' }, where: 'approved' },
  },
}

export const tables = `
  CREATE SCHEMA geo;
  CREATE TABLE geo.country (code text PRIMARY KEY, name text, area int);
  CREATE TABLE geo.city (id int PRIMARY KEY, name text, country_code text REFERENCES geo.country);
  CREATE TABLE geo.review (id int PRIMARY KEY, city_id int, body text, approved boolean, hits int)`

const int = 'pg_catalog.int4'
const text = 'pg_catalog.text'

/** A plan of it by hand, also with other sources: so that only what is installed is tested. */
export function planOf(schema: string, sources: readonly SourcePlan[] = sourcesOf(schema)): DocumentPlan {
  const taken = sources.map(({ source }) => source)
  const country =
    "(SELECT json_build_object('code', o.code, 'name', o.name) FROM geo.country o WHERE o.code = c.country_code)"
  const reviews =
    '(SELECT json_agg(r.body ORDER BY r.id) FROM geo.review r WHERE r.city_id = c.id AND r.approved)'
  return {
    document: 'city',
    table: { schema: 'geo', name: 'city' },
    key: [{ name: 'id', type: int }],
    walkOrder: [0],
    idParts: 1,
    address: { tenant: null, routing: null },
    view: 'document_city',
    viewSql: `CREATE VIEW "${schema}"."document_city" AS SELECT c.id AS key_1, c.id::text AS key,
      json_build_object('name', c.name, 'country', ${taken.includes('country') ? country : 'NULL'},
                        'reviews', ${taken.includes('reviews') ? reviews : 'NULL'})::text AS document,
      NULL::text AS problem FROM geo.city c`,
    loadSql: '',
    index: 'cities',
    mappings: {},
    settings: {},
    pipeline: null,
    transform: false,
    sources,
    missingIndexes: [],
    columns: { used: ['id', 'name'], omitted: [] },
    warnings: [],
  }
}

export function sourcesOf(schema: string): readonly [SourcePlan, SourcePlan, SourcePlan] {
  const common = { capture: 'statement', always: false, compare: true, leaves: [] } as const
  const view = (name: string, link: string) =>
    `CREATE VIEW "${schema}"."${name}" AS SELECT c.${link} AS link_1, c.id::text AS key FROM geo.city c`
  return [
    {
      ...common,
      source: '',
      table: { schema: 'geo', name: 'city' },
      key: [{ name: 'id', type: int }],
      rowKey: [{ name: 'id', type: int }],
      expansion: null,
      usedColumns: ['id', 'name', 'country_code'],
      compare: false,
    },
    {
      ...common,
      source: 'country',
      table: { schema: 'geo', name: 'country' },
      key: [{ name: 'code', type: text }],
      rowKey: [{ name: 'code', type: text }],
      expansion: {
        view: 'links_city.country',
        viewSql: view('links_city.country', 'country_code'),
        links: [text],
      },
      usedColumns: ['code', 'name'],
    },
    {
      ...common,
      source: 'reviews',
      table: { schema: 'geo', name: 'review' },
      key: [{ name: 'city_id', type: int }],
      rowKey: [{ name: 'id', type: int }],
      expansion: { view: 'links_city.reviews', viewSql: view('links_city.reviews', 'id'), links: [int] },
      usedColumns: ['id', 'city_id', 'body', 'approved'],
    },
  ]
}

export interface RelatedWorld extends TestDatabase {
  readonly schema: string
  /** The plan that `definition` is compiled to. */
  planned(): Promise<DocumentPlan>
  /** What an install of the database's part would do. */
  changes(plan: DocumentPlan): Promise<DatabaseChanges>
  /** Does it, and returns its steps: `create view document_city`. */
  install(plan: DocumentPlan): Promise<string[]>
  /** Runs SQL and returns the marks it left, in order. */
  marksOf(sql: string): Promise<string[]>
}

export async function relatedWorld(schema: string): Promise<RelatedWorld> {
  const database = await testDatabase()
  await migrate(database.url, schema)
  const plan = (client: pg.ClientBase, of: DocumentPlan) => changesOf(client, schema, of)
  return {
    ...database,
    schema,
    planned: () => inTransaction(database.pool, (client) => planned(client, schema)),
    changes: (of) => inTransaction(database.pool, (client) => plan(client, of)),
    install: (of) =>
      inTransaction(database.pool, async (client) => {
        const changes = await plan(client, of)
        await apply(client, schema, of, changes)
        return changes.steps.map(({ action, what }) => `${action} ${what}`)
      }),
    marksOf: async (sql) => {
      await database.pool.query(sql)
      const { rows } = await database.pool.query<{ op: string; source: string; keys: string[] | null }>(
        `WITH taken AS (DELETE FROM "${schema}".sync_queue RETURNING *) SELECT op, source, keys FROM taken ORDER BY id`,
      )
      return rows.map(({ op, source, keys }) =>
        [op, ...(source === '' ? [] : [source]), keys?.toSorted().join(',') ?? 'everything'].join(' '),
      )
    },
  }
}

async function planned(client: pg.ClientBase, schema: string): Promise<DocumentPlan> {
  const catalog = await readCatalog(client)
  const [plan] = await planDocuments(client, schema, catalog, new Map([['city', definition]]))
  if (plan === undefined) throw new Error('one definition makes one plan')
  return plan
}

async function changesOf(client: pg.ClientBase, schema: string, plan: DocumentPlan) {
  return databaseChanges(plan, schema, await readCatalog(client), await readInventory(client, schema))
}

async function apply(client: pg.ClientBase, schema: string, plan: DocumentPlan, database: DatabaseChanges) {
  const index = {
    first: false,
    create: null,
    extend: [],
    extendWhere: [],
    reindex: null,
    lost: [],
    steps: [],
    notes: [],
  }
  const maker = { schema, document: 'city', database: 'test' }
  const change = { steps: [], plan, definition, hash: 'h', database, index, maker, activate: true, run: null }
  await applyDatabase(client, schema, change, null)
}
