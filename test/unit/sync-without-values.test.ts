import fc from 'fast-check'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { withoutValues } from '../../src/sync/without-values.ts'

function postgres(code: string, message: string, more: Partial<pg.DatabaseError> = {}): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code, ...more })
}

const sayings: readonly (readonly [code: string, before: string, after: string, told: string])[] = [
  ['22P02', 'invalid input syntax for type integer: "', '"', 'invalid input syntax for type integer'],
  ['22P02', 'invalid input value for enum app.kind: "', '"', 'invalid input value for enum'],
  ['22003', 'value "', '" is out of range for type integer', 'a value is out of range for type integer'],
  [
    '22003',
    'value "',
    '" is out of range for type double precision',
    'a value is out of range for type double precision',
  ],
  ['22008', 'date/time field value out of range: "', '"', 'date or time field value out of range'],
  ['22P02', 'malformed array literal: "', '"', 'malformed array literal'],
  ['22012', 'division by zero', '', 'division by'],
]

describe('what Postgres says of a value', () => {
  it.each(sayings)('%s %s…%s', (code, before, after, told) => {
    const said = withoutValues(postgres(code, after === '' ? before : `${before}C4N4RY${after}`))
    expect(said).toContain(told)
    expect(said).not.toContain('C4N4RY')
  })

  it.each([
    ['22003', 'the value "1" is out of range for type integer', 'the value'],
    ['22003', 'value "1" is out of range for type integer: really', 'value'],
    ['22008', 'no date/time field', 'no'],
  ])('%s %s is no form that is known', (code, message, told) => {
    expect(withoutValues(postgres(code, message))).toBe(told)
  })

  it('is told without it, whatever it holds', () => {
    const quoting = sayings.filter(([, , after]) => after !== '')
    const value = fc.oneof(fc.constantFrom('"', '" is out of range for type ', 'a": "b', '\n'), fc.string())
    fc.assert(
      fc.property(fc.constantFrom(...quoting), value, value, ([code, before, after], a, b) => {
        expect(withoutValues(postgres(code, `${before}${a}C4N4RY${b}${after}`))).not.toContain('C4N4RY')
      }),
    )
  })

  it('of what a function raised, the function alone', () => {
    const more = {
      routine: 'exec_stmt_raise',
      where: 'PL/pgSQL function app.check_note(text) line 3 at RAISE\nSQL function "x"',
    }
    for (const code of ['P0001', '22023'])
      expect(withoutValues(postgres(code, 'my secret words', more))).toBe(
        'function app.check_note(text) line 3 raised an error',
      )
  })

  it('of other errors, nothing: they speak of tables and columns', () => {
    expect(withoutValues(postgres('42703', 'column "x" does not exist'))).toBeNull()
    expect(withoutValues(new Error('x'))).toBeNull()
  })
})
