import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classifyItem } from '../../src/elasticsearch/outcome.ts'

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
    ['index', 401, 'x', undefined, { outcome: 'blocked' }],
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
