import { describe, expect, it } from 'vitest'
import type { Relation } from '../../src/config/types.ts'
import { plan } from './planned-relation.ts'

describe('an address', () => {
  const relation: Relation = { one: 'geo.country' }
  it('follows the id in the key, unless it is there', () => {
    const made = plan({ relation, definition: { routing: 'name', tenant: 'id', index: 'cities-{tenant}' } })
    expect(made.key.map(({ name }) => name)).toEqual(['id', 'name'])
    expect(made).toMatchObject({ idParts: 1, address: { tenant: 0, routing: 1 } })
    expect(made.loadSql).toContain('unnest($1::pg_catalog.int4[]) WITH ORDINALITY AS k (key_1, n)')
    expect(made.viewSql).toContain('sluice_row_0.sluice_key_2 AS key_2')
  })

  it('is one part where tenant and routing are one column', () => {
    const definition = { routing: 'name', tenant: 'name', index: 'cities-{tenant}' }
    expect(plan({ relation, definition })).toMatchObject({ address: { tenant: 1, routing: 1 } })
  })

  it('has no tenant where the index is not named by it', () => {
    const made = plan({ relation, definition: { tenant: 'name' } })
    expect(made).toMatchObject({ address: { tenant: null, routing: null }, idParts: 1 })
    expect(made.key).toHaveLength(1)
  })
})
