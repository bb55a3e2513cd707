import { describe, expect, test } from 'vitest'
import { computeDocument, type DocumentNode } from '../../src/documents/compute.ts'
import type { FieldMapping } from '../../src/documents/field-types.ts'
import type { Field } from '../../src/documents/fields.ts'
import { nodeSql } from '../../src/documents/node-sql.ts'
import type { PlannedRelation, PlannedRow } from '../../src/documents/rows.ts'

const field = (path: string, type: string): Field => ({
  path: path.split('.'),
  source: { column: path },
  columns: [path],
  type,
  baseType: { name: type, schema: 'pg_catalog', kind: 'base', array: false },
})

const row = (fields: readonly Field[], relations: readonly PlannedRelation[] = []) =>
  ({ table: { schema: 'public', name: 't' }, fields, relations }) as unknown as PlannedRow

const relation = (name: string, related: PlannedRow, more: Partial<PlannedRelation> = {}) =>
  ({ name, row: related, flatten: false, ...more }) as PlannedRelation

/** A document as nested names: values and relations by their numbers, whole objects marked. */
function shapeOf(node: DocumentNode): unknown {
  if (node.kind === 'value') return node.value
  if (node.kind === 'relation') return `relation ${node.relation}`
  const fields = [...node.fields].map(([name, inner]) => [name, shapeOf(inner)])
  return Object.fromEntries(node.whole ? [...fields, ['whole', true]] : fields)
}

describe('a document', () => {
  test('nests its fields, each at the place of its first part, and its relations', () => {
    const fields = [field('a', 'int4'), field('b.c', 'int4'), field('d', 'int4'), field('b.e.f', 'int4')]
    const made = computeDocument(row(fields, [relation('r', row([field('x', 'int4')]))]), { properties: {} })
    expect(shapeOf(made.document)).toEqual({ a: 0, b: { c: 1, e: { f: 3 } }, d: 2, r: 'relation 0' })
    expect(Object.keys(shapeOf(made.document) as object)).toEqual(['a', 'b', 'd', 'r'])
    expect(made.values).toHaveLength(4)
    expect(shapeOf(made.relations[0]?.row.document as DocumentNode)).toEqual({ x: 0 })
  })

  test.each([
    ['geo_point', true],
    ['object', false],
    ['nested', false],
    [undefined, false],
  ])('has several fields as one of type %s: whole, or not at all: %s', (type, whole) => {
    const place = { ...(type === undefined ? {} : { type }), properties: {} }
    const fields = [field('place.lat', 'float8'), field('place.lon', 'float8')]
    const made = computeDocument(row(fields), { properties: { place } })
    expect(shapeOf(made.document)).toEqual({ place: { lat: 0, lon: 1, ...(whole ? { whole } : {}) } })
    const sql = nodeSql(made.document, { value: (n) => `v${n}`, relation: (n) => `r${n}` })
    expect(sql.includes('CASE WHEN v0 IS NOT NULL AND v1 IS NOT NULL THEN')).toBe(whole)
  })

  test('has one value for a related row that is flattened, encoded for the field that the relation is', () => {
    const related = row([field('at', 'date')])
    const made = (mappings: FieldMapping, flatten = true) =>
      computeDocument(row([], [relation('r', related, { flatten })]), { properties: { r: mappings } })
        .relations[0]?.row
    expect(made({ type: 'date' })).toMatchObject({ document: { kind: 'value', value: 0 }, relations: [] })
    expect(made({ type: 'date' })?.values).toHaveLength(1)
    expect(made({ type: 'date' })?.risks).toMatchObject([{ field: 'r', hazard: 'date' }])
    expect(made({ type: 'keyword' })?.risks).toEqual([])
    expect(made({}, false)?.document.kind).toBe('object')
  })
})

describe('a value that Elasticsearch may be unable to hold', () => {
  test('is told by its path in the document, and by what its field is mapped as', () => {
    const related = row([field('at', 'date'), field('b.at', 'date'), field('n', 'int4')])
    const root = row([field('a.born', 'date')], [relation('r', related)])
    const { risks, relations } = computeDocument(root, { properties: {} })
    expect(risks.map((risk) => risk.field)).toEqual(['a.born'])
    expect(relations[0]?.row.risks.map((risk) => risk.field)).toEqual(['r.at', 'r.b.at'])
    const properties = {
      a: { properties: { born: { type: 'keyword' } } },
      r: { properties: { at: { type: 'keyword' }, b: { properties: { at: { type: 'date' } } } } },
    }
    const stated = computeDocument(root, { properties })
    expect(stated.risks).toEqual([])
    expect(stated.relations[0]?.row.risks.map((risk) => risk.field)).toEqual(['r.b.at'])
  })
})
