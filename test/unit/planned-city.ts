import { catalogOf } from '../../src/catalog/read-catalog.ts'
import type { ParsedSnippet, Table } from '../../src/catalog/types.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { planDocument } from '../../src/documents/plan.ts'
import { snippetKey } from '../../src/documents/snippets.ts'
import { base, column, table } from './catalog-tables.ts'

export const city = table(
  'city',
  [
    column('id', 'int8'),
    column('name', 'text', { notNull: true }),
    column('country', 'text', { notNull: true }),
    column('code', 'text', { notNull: true }),
    column('population', 'int4'),
    column('slug', 'text', { generated: 'stored', generatedFrom: ['name'] }),
    column('size', 'text', { generated: 'virtual', generatedFrom: ['population'] }),
    column('score', 'float8', { notNull: true }),
  ],
  { uniqueKeys: [['id'], ['country', 'code'], ['score']], indexes: [] },
)

const active: ParsedSnippet = {
  sql: 'population > 0',
  columns: ['population'],
  type: 'boolean',
  baseType: base('bool'),
  dependsOnTime: false,
  warnings: [],
}
const age: ParsedSnippet = {
  ...active,
  sql: 'age()',
  columns: [],
  type: 'interval',
  baseType: base('interval'),
  dependsOnTime: true,
}
export const snippets = new Map(
  [active, age].map((snippet) => [snippetKey({ table: 'geo.city', sql: snippet.sql }), snippet]),
)

/** A document of a city; `root` says what is otherwise about its table, `more` are other tables. */
export function plan(
  definition: Partial<DocumentDefinition> = {},
  root: Partial<Table> = {},
  more: readonly Table[] = [],
) {
  const catalog = catalogOf([{ ...city, ...root }, ...more], 180000)
  const complete = { table: 'geo.city', index: 'cities', ...definition }
  return planDocument({ name: 'city', definition: complete, catalog, snippets, schema: 'sluice' })
}
