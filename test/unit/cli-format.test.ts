import { describe, expect, it } from 'vitest'
import { localTime } from '../../src/answers/local-time.ts'
import { exactJson } from '../../src/cli/exact-json.ts'
import { bytes, count, duration, waitingKeys } from '../../src/cli/format.ts'
import { table } from '../../src/cli/table.ts'

it.each([
  [0, true, '0 keys wait'],
  [1, true, '1 key waits'],
  [171_074, true, '171,074 keys wait'],
  [171_074, false, 'about 171,000 keys wait'],
])('%d keys that wait (exact: %s): %s', (n, exact, text) => expect(waitingKeys(n, exact)).toBe(text))

describe('duration', () => {
  it.each([
    [0, '0 ms'],
    [350.4, '350 ms'],
    [1000, '1.0 s'],
    [4230, '4.2 s'],
    [9999, '10.0 s'],
    [10_000, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [119_700, '2 min'],
    [200_000, '3 min 20 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [187_200_000, '2 d 4 h'],
  ])('%d ms: %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })
})

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [102_400, '100 KiB'],
  [3_565_158, '3.4 MiB'],
  [128_849_018_880, '120 GiB'],
  [2 ** 40, '1.0 TiB'],
  [2 ** 50, '1024 TiB'],
])('%d bytes: %s', (n, text) => {
  expect(bytes(n)).toBe(text)
})

it('a moment is told by the clocks of a time zone', () => {
  expect(localTime('2026-03-29T01:30:00.000Z', 'Asia/Dubai')).toBe('2026-03-29 05:30')
})

it('counts are grouped, whatever the locale', () => {
  expect(count(171_075)).toBe('171,075')
})

it('a table has no lines and no blanks at the end', () => {
  expect(
    table(
      [{ head: 'name' }, { head: 'n', align: 'right' }],
      [
        ['a', '1'],
        ['long one', '1,000'],
      ],
    ),
  ).toBe(['name          n', 'a             1', 'long one  1,000'].join('\n'))
})

it('exact JSON keeps numbers as they were written', () => {
  const text = '{"big":9007199254740993,"price":1.10,"list":[1e2,-0.0],"text":"1.10"}'
  expect(JSON.stringify(exactJson(text))).toBe(text)
})
