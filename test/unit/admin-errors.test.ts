import { describe, expect, test } from 'vitest'
import { HttpError, refusalOf } from '../../src/admin/errors.ts'
import { httpErrorJson } from '../../src/admin/json.ts'
import { FailedError, UnreachableError, UsageError } from '../../src/errors.ts'

describe('errors', () => {
  test.each([
    [new UsageError('x', { remedy: 'y' }), 400, 'usage'],
    [new FailedError('x'), 409, 'failed'],
    [new UnreachableError('x'), 503, 'unreachable'],
    [new HttpError(404, 'not-found', 'x'), 404, 'not-found'],
    [Object.assign(new Error('quotes a secret'), { statusCode: 413 }), 413, 'bad-request'],
    [new TypeError('quotes a secret'), 500, 'internal'],
    ['quotes a secret', 500, 'internal'],
  ])('%o: %i', (error, status, code) => {
    const refusal = refusalOf(error, 'request-1')
    expect(refusal).toMatchObject({ status, answer: { error: { code } }, unexpected: status === 500 })
    expect(httpErrorJson.parse(refusal.answer).error.message).not.toContain('secret')
  })

  test('say what to do, and which run is in the way, where there is something to say', () => {
    const busy = new HttpError(409, 'run-under-way', 'x', { remedy: 'y', run: '7' })
    expect(refusalOf(busy, '').answer).toStrictEqual({
      error: { code: 'run-under-way', message: 'x', remedy: 'y' },
      run: '7',
    })
    const bare = { error: { code: 'failed', message: 'x' } }
    expect(refusalOf(new FailedError('x'), '').answer).toStrictEqual(bare)
    expect(`${busy}`).toBe('HttpError: x')
  })

  const ofTheFramework = (statusCode: unknown) =>
    refusalOf(Object.assign(new Error('quote'), { statusCode }), 'r1')
  test.each([
    [400, 'bad-request', 'the request cannot be read: is its body JSON?'],
    [413, 'bad-request', 'the body is too large'],
    [415, 'bad-request', 'a change is asked for in JSON: Content-Type: application/json'],
    [429, 'too-many-requests', 'too many changes in a minute'],
    [499, 'bad-request', 'the request cannot be read'],
  ])('of the framework: %i', (status, code, message) => {
    expect(ofTheFramework(status)).toStrictEqual({
      status,
      answer: { error: { code, message } },
      unexpected: false,
    })
  })

  test.each([399, 500, 'what'])('of the framework with status %s: nobody has foreseen it', (statusCode) => {
    expect(ofTheFramework(statusCode)).toMatchObject({
      status: 500,
      answer: { error: { message: 'something went wrong here; the log has it under request r1' } },
      unexpected: true,
    })
  })

  test('of something that only looks like an error of the framework: nobody has foreseen it', () => {
    expect(refusalOf({ statusCode: 400, message: 'quote' }, '').unexpected).toBe(true)
  })
})
