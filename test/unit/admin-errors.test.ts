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
})
