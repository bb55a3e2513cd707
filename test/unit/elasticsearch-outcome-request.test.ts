import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classifyResponse, classifyTransportError } from '../../src/elasticsearch/outcome-request.ts'
import { operation } from './bulk-operation.ts'

const three = [operation(1), operation(2, 'delete'), operation(3)]
const goodItems = [
  { index: { status: 201, result: 'created' } },
  { delete: { status: 404, result: 'not_found' } },
  { index: { status: 400, error: { type: 'mapper_parsing_exception', reason: 'failed to parse' } } },
]

describe('the answer to a request', () => {
  const said = (status: number, body: unknown) =>
    classifyResponse(status, typeof body === 'string' ? body : JSON.stringify(body), three)

  it('that is refused for who we are says so, in full, and what a new credential may mend', () => {
    const error = { type: 'security_exception', reason: 'action [x] is unauthorized for user [sluice]' }
    const blocked = { outcome: 'blocked', type: 'security_exception', reason: error.reason }
    expect(said(401, { error })).toEqual({ ...blocked, unauthorized: true })
    expect(said(403, { error })).toEqual(blocked)
    expect(said(403, 'no')).toEqual({
      outcome: 'blocked',
      type: 'http_403',
      reason: 'status 403: an answer that is not JSON',
      suspicious: true,
    })
    expect(said(401, '')).toEqual({
      outcome: 'blocked',
      type: 'http_401',
      reason: 'status 401: an empty answer',
      unauthorized: true,
    })
    // Of other refusals nobody knows what they quote.
    const quoting = { type: 'x', reason: 'no handler found for [secret]' }
    expect(said(405, { error: quoting })).toMatchObject({
      outcome: 'blocked',
      reason: 'no handler found for',
    })
    // What a block says is about indices, and is kept as it is.
    const block = { type: 'cluster_block_exception', reason: 'blocked by: [FORBIDDEN/12/index read-only];' }
    expect(said(429, { error: block })).toEqual({ outcome: 'blocked', ...block })
  })

  it.each([
    [503, '  \n', 'status 503: an empty answer'],
    [502, '\n <!DOCTYPE html>', 'status 502: a web page, not Elasticsearch (is a proxy in between?)'],
    [502, '<?xml version="1.0"?>', 'status 502: a web page, not Elasticsearch (is a proxy in between?)'],
    [502, 'see <html>', 'status 502: an answer that is not JSON'],
    [502, 'x<html>', 'status 502: an answer that is not JSON'],
    [502, ' {"a":', 'status 502: a JSON answer that is cut off'],
    [502, ' {"a":1}', 'status 502: a JSON answer that is not Elasticsearch’s'],
    [502, 'x {"a":1}', 'status 502: an answer that is not JSON'],
    [502, 'x{"a":1}', 'status 502: an answer that is not JSON'],
    [502, '{"error":null}', 'status 502: a JSON answer that is not Elasticsearch’s'],
    [502, '{"error":["a"]}', 'status 502: a JSON answer that is not Elasticsearch’s'],
    [502, '{"error":7}', 'status 502: a JSON answer that is not Elasticsearch’s'],
    // A bare word at HTTP level is an error all the same.
    [502, '{"error":"Too large for us"}', 'Too large for us'],
    [502, '{"error":{"type":"x","reason":"failed to parse: no [1]"}}', 'no'],
    [413, '', 'status 413: larger than the server, or a proxy before it, accepts'],
  ])('%i %j is told as %s', (status, body, reason) => {
    expect(said(status, body)).toMatchObject({ reason })
  })

  it.each([
    [{ items: goodItems.slice(1) }, '3 operations sent, 2 answered'],
    [{}, '3 operations sent, 0 answered'],
    [{ items: {} }, '3 operations sent, 0 answered'],
    [{ items: [goodItems[0], goodItems[0], goodItems[2]] }, 'item 1 does not answer its operation'],
    [{ items: [null, ...goodItems.slice(1)] }, 'item 0 does not answer its operation'],
    [{ items: ['x', ...goodItems.slice(1)] }, 'item 0 does not answer its operation'],
  ])('%j is unknown: %s', (body, reason) => {
    expect(said(200, body)).toEqual({
      outcome: 'unknown',
      type: 'items_mismatch',
      reason,
      suspicious: true,
    })
  })

  it('to an empty request is an empty one', () => {
    expect(classifyResponse(200, '{"items":[]}', [])).toEqual({ outcome: 'answered', items: [], tookMs: 0 })
  })

  it('that redirects is no answer to be waited for', () => {
    expect([said(299, '').outcome, said(300, '').outcome]).toEqual(['unknown', 'blocked'])
  })

  it('gives each operation its verdict, in order', () => {
    const answer = classifyResponse(200, JSON.stringify({ took: 3, errors: true, items: goodItems }), three)
    expect(answer).toMatchObject({
      outcome: 'answered',
      tookMs: 3,
      items: [{ result: 'created' }, { result: 'absent' }, { outcome: 'dead' }],
    })
  })

  it.each([
    ['fewer items than operations', { took: 1, items: goodItems.slice(1) }, 'items_mismatch'],
    ['more items than operations', { took: 1, items: [...goodItems, goodItems[0]] }, 'items_mismatch'],
    [
      'items in another order',
      { took: 1, items: goodItems.toReversed().slice(0, 1).concat(goodItems.slice(0, 2)) },
      'items_mismatch',
    ],
    [
      'an item without a status',
      { took: 1, items: [{ index: {} }, ...goodItems.slice(1)] },
      'items_mismatch',
    ],
    ['no items', { took: 1 }, 'items_mismatch'],
  ])('with %s is unknown: nothing is acknowledged', (_, body, type) => {
    expect(classifyResponse(200, JSON.stringify(body), three)).toMatchObject({ outcome: 'unknown', type })
  })

  it.each([
    ['cut off', JSON.stringify({ took: 1, items: goodItems }).slice(0, 80), 'cut off'],
    ['empty', '', 'empty'],
    ['a web page', '<!doctype html><html><body>Sign in</body></html>', 'web page'],
    ['plain text', 'OK', 'not JSON'],
  ])('that is %s is unknown', (_, body, words) => {
    expect(classifyResponse(200, body, three)).toMatchObject({
      outcome: 'unknown',
      type: 'unreadable_answer',
      reason: expect.stringContaining(words),
    })
  })

  const error = (type: string, reason = 'x') => JSON.stringify({ error: { type, reason }, status: 0 })
  it.each([
    [400, error('illegal_argument_exception'), 'refused'],
    [400, error('action_request_validation_exception'), 'refused'],
    [400, error('x_content_parse_exception'), 'refused'],
    // Halving would make every document dead for what is not theirs.
    [400, '<html>400 The plain HTTP request was sent to HTTPS port</html>', 'blocked', 'suspicious'],
    [400, '', 'blocked', 'suspicious'],
    [400, error('media_type_header_exception'), 'blocked'],
    [
      400,
      error('illegal_argument_exception', 'request [/_bulk] contains unrecognized parameter: [x]'),
      'blocked',
    ],
    [401, error('security_exception'), 'blocked'],
    [401, 'Unauthorized', 'blocked'],
    [403, error('security_exception'), 'blocked'],
    [403, '<html>Request blocked</html>', 'blocked', 'suspicious'],
    [403, error('cluster_block_exception'), 'blocked'],
    [429, error('cluster_block_exception'), 'blocked'],
    [503, error('cluster_block_exception'), 'unknown'],
    [404, '<html>not found</html>', 'blocked', 'suspicious'],
    [405, error('x'), 'blocked'],
    [
      406,
      JSON.stringify({ error: 'Content-Type header [text/plain] is not supported', status: 406 }),
      'blocked',
    ],
    [301, '', 'blocked', 'suspicious'],
    [413, '<html>413 Request Entity Too Large</html>', 'too-large'],
    [413, '', 'too-large'],
    [408, '', 'unknown', 'suspicious'],
    [429, error('es_rejected_execution_exception'), 'unknown', 'suspicious'],
    [429, error('circuit_breaking_exception'), 'unknown', 'suspicious'],
    [500, error('x'), 'unknown', 'suspicious'],
    [502, '<html>Bad Gateway</html>', 'unknown', 'suspicious'],
    [503, '', 'unknown'],
    [504, '', 'unknown', 'suspicious'],
    [204, '', 'unknown', 'suspicious'],
  ] as const)('%i %s → %s %s', (status, body, outcome, suspicious: 'suspicious' | undefined = undefined) => {
    expect(classifyResponse(status, body, three)).toMatchObject({ outcome })
    // What a document may be the cause of is worth trying with fewer.
    expect('suspicious' in classifyResponse(status, body, three)).toBe(suspicious !== undefined)
  })

  it('is one of five for any status and text, and answered only with all its items', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.oneof(fc.string(), fc.json()), (status, body) => {
        const { outcome } = classifyResponse(status, body, three)
        expect(['unknown', 'blocked', 'too-large', 'refused']).toContain(outcome)
      }),
    )
  })

  it('repeats nothing of an answer it cannot read', () => {
    for (const status of [200, 400, 401, 500]) {
      expect(JSON.stringify(classifyResponse(status, '<html>CANARY</html>', three))).not.toContain('CANARY')
    }
  })
})

describe('no answer', () => {
  it.each(['timeout', 'connect_error', 'connection_error'] as const)('%s is unknown', (kind) => {
    expect(classifyTransportError({ kind, message: 'x', node: 'n' })).toEqual({
      outcome: 'unknown',
      type: kind,
      reason: 'x',
      // Where nobody was reached, no document was looked at.
      ...(kind === 'connect_error' ? {} : { suspicious: true }),
    })
  })

  it('for a wrong certificate is blocked: waiting does not mend it', () => {
    expect(classifyTransportError({ kind: 'tls_error', message: 'x', node: 'n' }).outcome).toBe('blocked')
  })
})
