import { expect, test } from 'vitest'
import { copySettings, copyText } from '../../src/postgres/copy-text.ts'

test('the text of a COPY is the same for all values: they are settings', () => {
  expect(copyText('SELECT n FROM unnest($1::int8[], $12::text[]) AS k')).toBe(
    "COPY (SELECT n FROM unnest(current_setting('sluice.parameter_1')::int8[], current_setting('sluice.parameter_12')::text[]) AS k) TO STDOUT (FORMAT binary)",
  )
  expect(copySettings([['1', null], ['a"b', '\\', 'NULL'], []])).toEqual({
    'sluice.parameter_1': '{"1",NULL}',
    'sluice.parameter_2': '{"a\\"b","\\\\","NULL"}',
    'sluice.parameter_3': '{}',
  })
})

test('what looks like a parameter in a name or a string is none', () => {
  const query = `SELECT "a$1", "b""$1", '$1', 'it''s $1' FROM "$1"`
  expect(copyText(query)).toBe(`COPY (${query}) TO STDOUT (FORMAT binary)`)
})
