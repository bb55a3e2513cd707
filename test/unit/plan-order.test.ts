import { describe, expect, it } from 'vitest'
import { planOrder } from '../../src/documents/order.ts'
import { column } from './catalog-tables.ts'
import { review } from './planned-relation.ts'

describe('an order', () => {
  const ordered = (orderBy: string | string[]) =>
    planOrder(orderBy, { ...review, columns: [...review.columns, column('x desc')] }, 'r')
  it.each<[string | string[], [string, boolean][]]>([
    ['at', [['at', false]]],
    ['at desc', [['at', true]]],
    ['at  DESC', [['at', true]]],
    [
      ['city_id asc', 'at Desc'],
      [
        ['city_id', false],
        ['at', true],
      ],
    ],
    // A column may be called so.
    ['x desc', [['x desc', false]]],
    ['x desc desc', [['x desc', true]]],
  ])('%j', (orderBy, expected) => {
    expect(ordered(orderBy).map(({ column: name, descending }) => [name, descending])).toEqual(expected)
  })

  it('may be none', () => expect(planOrder(undefined, review, 'r')).toEqual([]))

  it.each(['at descending', 'at\ndesc, id'])('is none of %j', (text) => {
    expect(() => ordered(text)).toThrow('no column')
  })
})
