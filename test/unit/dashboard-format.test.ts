import { expect, test } from 'vitest'
import {
  clock,
  count,
  duration,
  percent,
  perSecond,
  plural,
  short,
  size,
} from '../../src/admin/dashboard/format.js'

/** Figures of the dashboard. Checked with it (tsconfig.dashboard.json), for it is JavaScript. */

test.each([
  [null, '–'],
  [0, '0 ms'],
  [999.4, '999 ms'],
  [1000, '1.0 s'],
  [9949, '9.9 s'],
  [10_000, '10 s'],
  [119_000, '119 s'],
  [120_000, '2 min'],
  [7_199_000, '120 min'],
  [7_200_000, '2 h'],
  [172_799_000, '48 h'],
  [172_800_000, '2 d'],
])('%s milliseconds are %s', (ms, text) => expect(duration(ms)).toBe(text))

test.each([
  [0, '0'],
  [1 / 60, '0.02'],
  [0.1, '0.1'],
  [0.3, '0.3'],
  [9.96, '10.0'],
  [10, '10'],
  [12_345, '12.3K'],
])('%s a second are %s', (rate, text) => expect(perSecond(rate)).toBe(text))

test.each([
  [0, '0.0 %'],
  [0.000_4, '0.04 %'],
  [0.0999, '9.99 %'],
  [0.1, '10.0 %'],
  [1, '100.0 %'],
])('a share of %s is %s', (share, text) => expect(percent(share)).toBe(text))

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [999_999, '1000.0 kB'],
  [1_000_000, '1.0 MB'],
])('%s bytes are %s', (bytes, text) => expect(size(bytes)).toBe(text))

test('counts are grouped, and what is not known is a dash', () => {
  expect([count(1_234_567), count(null), short(1_234_567)]).toEqual(['1,234,567', '–', '1.2M'])
  expect([plural(1, 'document'), plural(2000, 'document'), plural(2, 'entry', 'entries')]).toEqual([
    '1 document',
    '2,000 documents',
    '2 entries',
  ])
})

test('a time of another day has its day', () => {
  const today = new Date(new Date().setHours(7, 8, 9))
  expect(clock(today.toISOString())).toBe('07:08:09')
  expect(clock('2020-02-03T12:00:00Z')).toMatch(/^2020-02-0[234] \d\d:00:00$/)
})
