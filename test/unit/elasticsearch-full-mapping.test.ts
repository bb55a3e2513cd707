import { describe, expect, it } from 'vitest'
import { classifyResponse } from '../../src/elasticsearch/outcome-request.ts'
import { operation } from './bulk-operation.ts'

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
