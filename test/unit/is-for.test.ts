import { expect, test } from 'vitest'
import { BUILDING, isFor } from '../../src/queue/is-for.ts'

const live = { index: 'cities-1', role: 'live' } as const
const building = { index: 'cities-2', role: 'building' } as const

test.each([
  ['for all indices', null, [true, true]],
  ['for one', 'cities-1', [true, false]],
  ['for one that is gone', 'cities-0', [false, false]],
  ['for those that are built', BUILDING, [false, true]],
])('a mark %s', (_, target, expected) => {
  expect([isFor(target, live), isFor(target, building)]).toEqual(expected)
})
