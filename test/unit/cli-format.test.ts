import { describe, expect, it } from 'vitest'
import { exactJson } from '../../src/cli/exact-json.ts'
import { count, duration } from '../../src/cli/format.ts'
import { table } from '../../src/cli/table.ts'

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
