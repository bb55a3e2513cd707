import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { explain } from '../../src/answers/explain.ts'
import { errorJson } from '../../src/answers/json/error.ts'
import { exitCodeOf } from '../../src/cli/exit-codes.ts'
import { errorDocument } from '../../src/cli/output.ts'
import {
  ConfigError,
  DocumentQueryError,
  describeError,
  FailedError,
  SchemaError,
  TimeoutError,
  UnreachableError,
  UsageError,
} from '../../src/errors.ts'

const url = 'postgres://me:secret@db:5432/shop'

function databaseError(fields: Partial<pg.DatabaseError>): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError('it is so', 0, 'error'), fields)
}

describe('exit codes', () => {
  it.each([
    [new FailedError('x'), 1],
    [new DocumentQueryError('x'), 1],
    [new Error('x'), 1],
    ['x', 1],
    [new ConfigError('x'), 2],
    [new UsageError('x'), 2],
    [new SchemaError('x'), 2],
    [new UnreachableError('x'), 4],
  ])('%s: %d', (error, code) => {
    expect(exitCodeOf(error)).toBe(code)
  })
})

describe('what Postgres says', () => {
  it('is wrong usage where one of our functions says so, with its hint', () => {
    const error = explain(databaseError({ code: '42704', routine: 'exec_stmt_raise', hint: 'do that' }), url)
    expect(error).toBeInstanceOf(UsageError)
    expect(error).toMatchObject({ message: 'it is so', remedy: 'do that' })
  })

  it('is a failure where one of our functions could not', () => {
    expect(explain(databaseError({ code: '55P03', routine: 'exec_stmt_raise' }), url)).toBeInstanceOf(
      FailedError,
    )
  })

  it('is a failure with its SQLSTATE otherwise', () => {
    expect(explain(databaseError({ code: '42501', detail: 'because' }), url)).toMatchObject({
      code: 'failed',
      message: 'Postgres 42501: it is so (because)',
    })
  })

  it('is unreachable where the connection broke, without the password', () => {
    const error = explain(databaseError({ code: '57P01' }), url)
    expect(error).toBeInstanceOf(UnreachableError)
    expect(JSON.stringify(errorDocument(error))).not.toContain('secret')
  })

  it('says which roles there are, where one may not do it', () => {
    const remedyOf = (fields: Partial<pg.DatabaseError>) => explain(databaseError(fields), url)
    expect(remedyOf({ code: '42501' })).toMatchObject({ remedy: expect.stringContaining('migrate --roles') })
    expect(remedyOf({ code: '42501', hint: 'do that' })).toMatchObject({ remedy: 'do that' })
    expect(remedyOf({ code: '42703' })).toMatchObject({
      message: 'Postgres 42703: it is so',
      remedy: undefined,
    })
  })

  it.each(['42704', '22004', '22023'])('is wrong usage in a function of ours with %s', (code) => {
    expect(explain(databaseError({ code, routine: 'exec_stmt_raise' }), url)).toBeInstanceOf(UsageError)
    expect(explain(databaseError({ code }), url)).toBeInstanceOf(FailedError)
  })

  it('leaves other errors alone: they are ours to mend, or said already', () => {
    for (const error of [new TypeError('x'), new UnreachableError('x')]) {
      expect(explain(error, url)).toBe(error)
    }
  })
})

it('the JSON document of an error is as it is promised', () => {
  for (const error of [new ConfigError('x', { where: 'a', remedy: 'b' }), new Error('x'), 'x']) {
    expect(errorJson.parse(errorDocument(error))).toEqual(errorDocument(error))
  }
  expect(errorDocument(new ConfigError('is bad', { where: 'a', remedy: 'b' }))).toEqual({
    error: { code: 'config', message: 'a: is bad', where: 'a', remedy: 'b' },
  })
})

describe('an error', () => {
  it('says where it is, what it is, and what to do', () => {
    const cause = new Error('x')
    const error = new FailedError('is bad', { where: 'a', remedy: 'Mend it.', cause })
    expect([error.message, error.name, error.cause]).toEqual(['a: is bad', 'FailedError', cause])
    expect(describeError(error)).toBe('a: is bad\n  → Mend it.')
    expect(describeError(new FailedError('is bad'))).toBe('is bad')
    expect(new FailedError('is bad')).not.toHaveProperty('cause')
    expect([describeError(new TypeError('x is not')), describeError('x')]).toEqual(['x is not', 'x'])
  })

  it('says what those who catch it have to know', () => {
    expect(new TimeoutError('late', { pending: ['city'] }).pending).toEqual(['city'])
    expect([new UnreachableError('x').status, new UnreachableError('x', { status: 502 }).status]).toEqual([
      null,
      502,
    ])
    expect([new SchemaError('x').final, new SchemaError('x', { final: true }).final]).toEqual([false, true])
  })
})
