import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classifyItem } from '../../src/elasticsearch/outcome.ts'
import { classifyResponse, classifyTransportError } from '../../src/elasticsearch/outcome-request.ts'
import type { Operation } from '../../src/elasticsearch/types.ts'

const types = [
  ...['version_conflict_engine_exception', 'document_parsing_exception', 'mapper_parsing_exception'],
  ...['strict_dynamic_mapping_exception', 'illegal_argument_exception', 'cluster_block_exception'],
  ...[
    'index_not_found_exception',
    'index_closed_exception',
    'security_exception',
    'circuit_breaking_exception',
  ],
  ...['es_rejected_execution_exception', 'rejected_execution_exception', 'unavailable_shards_exception', ''],
]
const statuses = [200, 201, 301, 400, 401, 403, 404, 405, 408, 409, 413, 429, 500, 501, 502, 503, 504, 507]
const kinds = ['index', 'delete'] as const

describe('an item', () => {
  it.each([
    ['index', 201, undefined, 'created', { outcome: 'done', result: 'created' }],
    ['index', 200, undefined, 'updated', { outcome: 'done', result: 'updated' }],
    ['index', 200, undefined, 'noop', { outcome: 'done', result: 'noop' }],
    ['delete', 200, undefined, 'deleted', { outcome: 'done', result: 'deleted' }],
    ['delete', 404, undefined, 'not_found', { outcome: 'done', result: 'absent' }],
    // Told from the status alone, or the result alone.
    ['index', 201, undefined, undefined, { outcome: 'done', result: 'created' }],
    ['index', 200, undefined, 'created', { outcome: 'done', result: 'created' }],
    ['index', 200, undefined, undefined, { outcome: 'done', result: 'updated' }],
    ['delete', 200, undefined, undefined, { outcome: 'done', result: 'deleted' }],
    ['delete', 404, undefined, undefined, { outcome: 'done', result: 'absent' }],
    [
      'index',
      404,
      undefined,
      undefined,
      { outcome: 'retry', type: 'http_404', reason: 'status 404 without an error', charged: true },
    ],
    ['index', 503, undefined, undefined, { outcome: 'retry', type: 'http_503', charged: false }],
    ['index', 400, '', undefined, { outcome: 'dead', type: 'http_400' }],
    ['index', 401, 'security_exception', undefined, { outcome: 'blocked', reason: 'x' }],
    ['index', 400, 'index_create_block_exception', undefined, { outcome: 'blocked' }],
    ['index', 400, 'invalid_index_name_exception', undefined, { outcome: 'blocked' }],
    ['index', 400, 'routing_missing_exception', undefined, { outcome: 'blocked' }],
    ['index', 413, 'x', undefined, { outcome: 'dead' }],
    ['index', 409, 'version_conflict_engine_exception', undefined, { outcome: 'superseded', stored: null }],
    ['index', 400, 'version_conflict_engine_exception', undefined, { outcome: 'dead' }],
    ['index', 400, 'opensearch_parse_exception', undefined, { outcome: 'dead', type: 'parse_exception' }],
    ['index', 400, 'test_es_exception', undefined, { outcome: 'dead', type: 'test_es_exception' }],
    [
      'index',
      429,
      'es_rejected_execution_exception',
      undefined,
      { outcome: 'retry', type: 'rejected_execution_exception', charged: false },
    ],
    [
      'index',
      429,
      'rejected_execution_exception',
      undefined,
      { outcome: 'retry', type: 'rejected_execution_exception', charged: false },
    ],
    ['index', 429, 'circuit_breaking_exception', undefined, { outcome: 'retry', charged: false }],
    ['index', 429, 'cluster_block_exception', undefined, { outcome: 'blocked' }],
    ['index', 503, 'cluster_block_exception', undefined, { outcome: 'retry', charged: false }],
    ['index', 503, 'unavailable_shards_exception', undefined, { outcome: 'retry', charged: false }],
    ['delete', 403, 'cluster_block_exception', undefined, { outcome: 'blocked' }],
    ['index', 403, 'security_exception', undefined, { outcome: 'blocked' }],
    ['delete', 404, 'index_not_found_exception', undefined, { outcome: 'blocked' }],
    ['index', 400, 'index_closed_exception', undefined, { outcome: 'blocked' }],
    ['index', 403, 'index_closed_exception', undefined, { outcome: 'blocked' }],
    ['index', 500, 'ingest_processor_exception', undefined, { outcome: 'retry', charged: true }],
    ['index', 400, 'mapper_parsing_exception', undefined, { outcome: 'dead' }],
    ['index', 409, 'resource_already_exists_exception', undefined, { outcome: 'retry', charged: true }],
    // Only the status counts: an item that says so is no more at fault than a request.
    ...([408, 429, 502, 503, 504] as const).flatMap((status) => [
      ['index', status, 'x', undefined, { outcome: 'retry', charged: false }] as const,
      ['delete', status, undefined, undefined, { outcome: 'retry', charged: false }] as const,
    ]),
    ['index', 401, 'security_exception', undefined, { outcome: 'blocked' }],
    ['index', 401, 'x', undefined, { outcome: 'blocked' }],
    ['index', 413, 'x', undefined, { outcome: 'dead' }],
    ['index', 418, 'teapot_exception', undefined, { outcome: 'retry', charged: true }],
  ] as const)('%s %i %s %s', (kind, status, type, result, expected) => {
    const error = type === undefined ? undefined : { type, reason: 'x' }
    expect(classifyItem(kind, status, error, result)).toMatchObject(expected)
  })

  it.each([
    'number of documents in the index cannot exceed 2147483519',
    'Number of documents in the shard cannot exceed [2147483519]',
    'no write index is defined for alias [x]. The write index may be explicitly disabled',
    'pipeline with id [x] does not exist',
  ])('is the index’s trouble, not the document’s: %s', (reason) => {
    expect(classifyItem('index', 400, { type: 'illegal_argument_exception', reason })).toMatchObject({
      outcome: 'blocked',
    })
    // A document's own text is never taken for it.
    expect(
      classifyItem('index', 400, {
        type: 'illegal_argument_exception',
        reason: `failed to parse: ${reason}`,
      }),
    ).toMatchObject({ outcome: 'dead' })
  })

  it('falls in exactly one verdict for every kind, status, type and result', () => {
    const results = [undefined, 'created', 'updated', 'deleted', 'not_found', 'noop']
    for (const kind of kinds) {
      for (const status of statuses) {
        for (const type of [undefined, ...types]) {
          for (const result of results) {
            const verdict = classifyItem(
              kind,
              status,
              type === undefined ? null : { type, reason: 'x' },
              result,
            )
            expect(['done', 'superseded', 'retry', 'dead', 'blocked']).toContain(verdict.outcome)
            // An error is never taken for done, but for the one that says a newer version is there.
            if (type !== undefined) expect(verdict.outcome).not.toBe('done')
            if (verdict.outcome === 'done') {
              expect([200, 201].includes(status) || (status === 404 && kind === 'delete')).toBe(true)
            }
            expect(verdict.outcome === 'superseded').toBe(
              status === 409 && type === 'version_conflict_engine_exception',
            )
          }
        }
      }
    }
  })

  it('says which version is stored, in full, whatever the id before it looks like', () => {
    fc.assert(
      fc.property(fc.string(), fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), (id, stored) => {
        const reason = `[${id}]: version conflict, current version [${stored}] is higher than the one provided [7]`
        const verdict = classifyItem('index', 409, { type: 'version_conflict_engine_exception', reason })
        expect(verdict).toEqual({ outcome: 'superseded', stored })
      }),
    )
  })

  it('says so where the id looks like another version, and no more than an id', () => {
    const stored = (reason: string) =>
      classifyItem('index', 409, { type: 'version_conflict_engine_exception', reason })
    const version = (n: number) => `current version [${n}] is higher than the one provided [7]`
    expect(stored(`[${version(5)}]: version conflict, ${version(9)}`)).toEqual({
      outcome: 'superseded',
      stored: 9n,
    })
    expect(stored(`${version(5)}]: version conflict`)).toEqual({ outcome: 'superseded', stored: null })
  })

  it.each([
    'no write index is defined for alias [cities]. The write index may be explicitly disabled',
    'pipeline with id [enrich] does not exist',
    'unknown index sort field:[sluice_creates_this_index_itself]',
    'number of documents in the index cannot exceed 2147483519',
    'Number of documents in the shard cannot exceed [2147483519]',
    'Limit of total fields [1000] has been exceeded while adding new fields [1]',
    'failed to parse: Limit of total fields [1000] has been exceeded',
    '[12:345] Limit of total fields [1000] has been exceeded',
    '[1:6] failed to parse: Limit of total fields [1000] has been exceeded',
  ])('is what every document of its index would get, and no value can imitate it: %s', (reason) => {
    const verdict = (text: string) => classifyItem('index', 400, { type: 'x', reason: text }).outcome
    expect(verdict(reason)).toBe('blocked')
    expect(verdict(`a value [${reason}]`)).toBe('dead')
    expect(verdict(`a ${reason}`)).toBe('dead')
  })

  it.each([
    'pipeline with id [enrich] does not exist, says a value',
    'unknown index sort field:[population]',
    'unknown index sort field:[sluice_creates_this_index_itself] it says',
  ])('is its own where it says more, or other: %s', (reason) => {
    expect(classifyItem('index', 400, { type: 'x', reason }).outcome).toBe('dead')
  })

  it('is its index’s where the full mapping is the cause of what it says, however deep', () => {
    const cause = { type: 'x', reason: 'Limit of total fields [1000] has been exceeded' }
    const error = { type: 'x', reason: 'no', caused_by: { type: 'x', reason: 'nor', caused_by: cause } }
    expect(classifyItem('index', 400, error).outcome).toBe('blocked')
    expect(classifyItem('index', 400, { type: 'x', reason: null, caused_by: cause }).outcome).toBe('blocked')
    expect(classifyItem('index', 400, { type: 'x', reason: null }).outcome).toBe('dead')
  })

  it('does not guess the stored version', () => {
    const reason = '[a]: version conflict, required seqNo [1], primary term [1]. but no document was found'
    const verdict = classifyItem('index', 409, { type: 'version_conflict_engine_exception', reason })
    expect(verdict).toEqual({ outcome: 'superseded', stored: null })
  })
})

const operation = (n: number, kind: Operation['kind'] = 'index', index = 'cities'): Operation => ({
  kind,
  index,
  id: String(n),
  key: String(n),
  body: '{}',
})
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

describe('a mapping at its limit of fields', () => {
  const full = {
    index: {
      status: 400,
      error: { type: 'illegal_argument_exception', reason: 'Limit of total fields [1000] has been exceeded' },
    },
  }
  const good = { index: { status: 201, result: 'created' } }
  const outcomes = (items: readonly unknown[], operations = items.map((_, n) => operation(n))) => {
    const answer = classifyResponse(200, JSON.stringify({ took: 1, errors: true, items }), operations)
    return answer.outcome === 'answered' ? answer.items.map((item) => item.outcome) : []
  }

  it('blocks the index when most documents meet it', () => {
    expect(outcomes([full, full, good])).toEqual(['blocked', 'blocked', 'done'])
    expect(outcomes([full])).toEqual(['blocked'])
  })

  it('is the fault of a document that meets it among others that do not', () => {
    expect(outcomes([full, good, good])).toEqual(['dead', 'done', 'done'])
    expect(outcomes([full, good])).toEqual(['dead', 'done'])
  })

  it('is compared with the documents that were sent, deletes aside', () => {
    const gone = { delete: { status: 200, result: 'deleted' } }
    const operations = [operation(1), operation(2, 'delete'), operation(3, 'delete')]
    expect(outcomes([full, gone, gone], operations)).toEqual(['blocked', 'done', 'done'])
  })

  it('is no verdict on what failed otherwise', () => {
    const other = { index: { status: 429, error: full.index.error } }
    expect(outcomes([full, other, good])).toEqual(['dead', 'retry', 'done'])
    const closed = { index: { status: 400, error: { type: 'index_closed_exception', reason: 'closed' } } }
    expect(outcomes([closed, good, good])).toEqual(['blocked', 'done', 'done'])
  })

  it('is judged for each index apart', () => {
    const operations = [operation(1), operation(2), operation(3, 'index', 'lakes')]
    expect(outcomes([full, good, full], operations)).toEqual(['dead', 'done', 'blocked'])
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
