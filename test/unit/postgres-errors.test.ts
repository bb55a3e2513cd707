import pg from 'pg'
import { expect, test } from 'vitest'
import { isDataError } from '../../src/postgres/read-transaction.ts'

test.each([
  ['22003', true],
  ['22P02', true],
  ['54000', true],
  ['54001', false],
  ['42703', false],
  ['57014', false],
])('an error of SQLSTATE %s is some value’s fault: %s', (code, expected) => {
  expect(isDataError(Object.assign(new pg.DatabaseError('m', 1, 'error'), { code }))).toBe(expected)
})
