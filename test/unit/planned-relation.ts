import { catalogOf } from '../../src/catalog/read-catalog.ts'
import type { ForeignKey, Table } from '../../src/catalog/types.ts'
import type { DocumentDefinition, Relation } from '../../src/config/types.ts'
import { planDocument } from '../../src/documents/plan.ts'
import { snippetKey } from '../../src/documents/snippets.ts'
import { base, column, table } from './catalog-tables.ts'

/** The foreign key of one column to the `id` of another table. */
export const key = (from: string, to: string): ForeignKey => ({
  name: `${from}_fkey`,
  columns: [from],
  table: { schema: 'geo', name: to },
  there: ['id'],
})

export const index = (...columns: string[]) => ({ columns, unique: false })

export const country = table('country', [column('id'), column('name', 'text'), column('capital_id')])
export const review = table('review', [column('id'), column('city_id'), column('at', 'timestamptz')], {
  foreignKeys: [key('city_id', 'city')],
  indexes: [index('city_id')],
})
export const tag = table('tag', [column('id'), column('label', 'text'), column('shape', 'point')])
export const cityTag = table('city_tag', [column('city_id'), column('tag_id')], {
  primaryKey: [],
  uniqueKeys: [],
  indexes: [index('tag_id', 'city_id')],
  foreignKeys: [key('city_id', 'city'), key('tag_id', 'tag')],
})
export const city = table(
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

export interface World {
  readonly relation: Relation
  readonly tables?: readonly Table[]
  readonly definition?: Partial<DocumentDefinition>
}

/** A document of a city and of one relation, `r`; `tables` stand for those of their names. */
export function plan({ relation, tables = [], definition = {} }: World) {
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
          baseType: base('bool'),
          dependsOnTime: true,
          warnings: ['is slow'],
        },
      ],
    ]),
    schema: 'sluice',
  })
}
