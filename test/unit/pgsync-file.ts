import { expect } from 'vitest'
import { catalogOf } from '../../src/catalog/read-catalog.ts'
import type { Table } from '../../src/catalog/types.ts'
import { parsePgsync } from '../../src/cli/pgsync/schema.ts'
import { translatePgsync } from '../../src/cli/pgsync/translate.ts'
import { column, table as made } from './catalog-tables.ts'

function table(name: string, columns: readonly string[], more: Partial<Table> = {}): Table {
  const texts = columns.map((text) => column(text, 'text', { notNull: false }))
  return made(name, texts, { schema: 'public', indexes: [], ...more })
}

const catalog = catalogOf(
  [
    table('film', ['id', 'title', 'actors', 'meta']),
    table('actor', ['id', 'name']),
    table('rental', ['day', 'shop'], { schema: 'Desk', primaryKey: ['day', 'shop'] }),
  ],
  170_000,
)

/** A file with one document of that root; problems of a file that cannot be read fail the test. */
export function translate(root: object, more: object = {}, others: readonly object[] = []) {
  const { documents, problems } = parsePgsync([{ index: 'films', ...more, nodes: root }, ...others])
  expect(problems).toEqual([])
  const imported = translatePgsync(documents ?? [], catalog, 'video')
  const remarks = [...imported.remarks.all, ...imported.documents.flatMap((one) => one.remarks.all)]
  for (const remark of remarks) expect(Object.values(remark)).not.toContain('')
  return {
    definitions: imported.documents.map(({ definition }) => definition),
    todo: remarks.filter(({ remedy }) => remedy !== null).map(({ where, what }) => `${where}: ${what}`),
    notes: remarks.filter(({ remedy }) => remedy === null).map(({ where, what }) => `${where}: ${what}`),
    remedies: remarks.flatMap(({ remedy }) => remedy ?? []),
  }
}

/** A node below a root. */
export const child = (more: object, relationship: object = {}) => ({
  table: 'actor',
  ...more,
  relationship: { variant: 'object', type: 'one_to_many', ...relationship },
})
