import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classifyItem } from '../../src/elasticsearch/outcome.ts'
import { type ErrorBody, plainReason, redactReason } from '../../src/elasticsearch/redact.ts'
import reasons from './elasticsearch-reasons.json' with { type: 'json' }

// What real servers answered to documents and ids that hold the word CANARY, long runs of one letter shortened.
// The same is provoked again on the run's server in test/integration/elasticsearch-reasons.test.ts.
const answers = reasons.map(({ servers, what, kind, status, error, verdict }) => ({
  title: `${servers.join(', ')}: ${what}`,
  kind: kind === 'delete' ? ('delete' as const) : ('index' as const),
  status,
  error: error as ErrorBody,
  verdict,
}))

describe('answers of real servers', () => {
  it.each(answers)('$title', ({ kind, status, error, verdict }) => {
    const { stored, ...expected } = verdict
    const actual = classifyItem(kind, status, error)
    expect(actual).toEqual(stored === undefined ? expected : { ...expected, stored: BigInt(stored) })
  })

  it('hold document values, which the stored reasons do not', () => {
    expect(answers.filter(({ error }) => JSON.stringify(error).includes('CANARY')).length).toBeGreaterThan(50)
    for (const { error } of answers)
      expect(redactReason(error)).not.toMatch(/CANARY|67, 52|-61, -87|987|98765/)
  })
})

describe('a value that looks like a reason', () => {
  /** Puts a value everywhere the servers quoted one, ids and byte arrays aside. */
  const withValue = (error: ErrorBody, value: string): ErrorBody => ({
    ...error,
    reason: error.reason?.replaceAll('CANARY', () => value),
    caused_by: error.caused_by && withValue(error.caused_by, value),
  })

  const pieces = fc.constantFrom(
    ...[
      "'",
      '"',
      '[',
      ']',
      '(',
      ')',
      '{',
      '}',
      ':',
      '\n',
      ' ',
      '$1',
      '] of type [',
      "'. Preview of field's value: '",
    ],
    ...[
      '] with format [x]',
      'For input string: ',
      'Limit of total fields [1] has been exceeded',
      'failed to parse: ',
      '7',
    ],
  )
  const value = fc
    .tuple(fc.array(pieces, { maxLength: 6 }), fc.array(pieces, { maxLength: 6 }))
    .map(([before, after]) => `${before.join('')}Zq7xSecret${after.join('')}`)

  it('is redacted whatever it holds', () => {
    const quoting = answers.filter(
      ({ error, status }) => status === 400 && JSON.stringify(error).includes('CANARY'),
    )
    fc.assert(
      fc.property(fc.constantFrom(...quoting), value, ({ kind, status, error, verdict }, secret) => {
        const actual = classifyItem(kind, status, withValue(error, secret))
        expect(JSON.stringify(actual)).not.toContain('Zq7xSecret')
        // Nor does it change the verdict: a value cannot block an index.
        expect(actual.outcome).toBe(verdict.outcome)
      }),
      { numRuns: 3_000 },
    )
  })

  it('is redacted in a form nobody has seen', () => {
    const redacted = (reason: string) => redactReason({ type: 'some_exception', reason })
    expect(redacted('cannot frobnicate [Zq7x] now')).toBe('cannot frobnicate')
    expect(redacted('value: Zq7x')).toBe('value')
    expect(redacted('Zq7x is not a colour')).toBe('no reason given')
    expect(redacted("'Zq7x' is not a colour")).toBe('no reason given')
    expect(redacted('')).toBe('no reason given')
  })

  it('keeps a reason short, however long the names in it', () => {
    const reason = `mapping set to strict, dynamic introduction of [${'n'.repeat(40_000)}] within [_doc] is not allowed`
    expect(redactReason({ type: 'strict_dynamic_mapping_exception', reason }).length).toBeLessThan(401)
  })
})

describe('a reason', () => {
  const strict = (name: string) =>
    `mapping set to strict, dynamic introduction of [${name}] within [_doc] is not allowed`

  it.each<[string, ErrorBody, string]>([
    [
      'has no position, nor what is said around it',
      { reason: '[12:345] failed to parse: cannot do it' },
      'cannot do it',
    ],
    [
      'keeps what looks like one in the middle',
      { reason: 'cannot do failed to parse: it' },
      'cannot do failed to parse',
    ],
    [
      'is told with its cause',
      { reason: 'cannot do [x]', caused_by: { reason: 'no room' } },
      'cannot do: no room',
    ],
    ['is not said twice', { reason: 'cannot do it', caused_by: { reason: 'do it' } }, 'cannot do it'],
    [
      'is two at most, whatever says nothing between them',
      {
        reason: 'one',
        caused_by: { reason: null, caused_by: { reason: 'two', caused_by: { reason: 'three' } } },
      },
      'one: two',
    ],
    ['is the cause’s where it says nothing itself', { caused_by: { reason: 'no room' } }, 'no room'],
    ['ends without its full stop', { reason: 'cannot do it.' }, 'cannot do it'],
    ['may have more than a blank between words', { reason: 'cannot  do it' }, 'cannot do it'],
    ['may be none', {}, 'no reason given'],
    ['has names of 120 characters at most', { reason: strict('n'.repeat(130)) }, strict('n'.repeat(120))],
  ])('%s', (_, error, told) => {
    expect(redactReason(error)).toBe(told)
  })

  // What no document of the table above provokes: reasons of whole requests, of other versions and other settings.
  it.each([
    [
      'Malformed action/metadata line [3], expected FIELD_NAME but found [VALUE_STRING]',
      'Malformed action/metadata line [3]',
    ],
    [
      'Action/metadata line [1] contains an unknown parameter [x]',
      'Action/metadata line [1] contains an unknown parameter',
    ],
    [
      'Validation Failed: 1: id [CANARY] is too long, must be no longer than 512 bytes but was: 600;',
      'id is too long, must be no longer than 512 bytes',
    ],
    [
      'Validation Failed: 1: illegal version value [-1] for version type [EXTERNAL_GTE];',
      'illegal version value [-1] for version type [EXTERNAL_GTE]',
    ],
    ['Validation Failed: 1: id is missing;', 'id is missing'],
    ['unknown index sort field:[name]', 'unknown index sort field:[name]'],
    ['[parent] Data too large, data for [CANARY] would be [9b]', '[parent] Data too large'],
    [
      'The depth of the nested array field has exceeded the allowed limit of [20]. This limit can be set by',
      'The depth of the nested array field has exceeded the allowed limit of [20] (index.mapping.depth.limit)',
    ],
    [
      'Failed to parse value [CAN\nARY] as only [true] or [false] are allowed.',
      'only [true] or [false] are allowed',
    ],
  ])('%j tells what is wrong, without values', (reason, told) => {
    expect(redactReason({ reason })).toBe(told)
  })

  it.each<[ErrorBody, string]>([
    [{ reason: 'index [cities] blocked by: [FORBIDDEN/12];' }, 'index [cities] blocked by: [FORBIDDEN/12];'],
    [{ reason: '' }, 'no reason given'],
    [{ reason: null }, 'no reason given'],
    [{}, 'no reason given'],
    [{ reason: 'x'.repeat(400) }, 'x'.repeat(400)],
    [{ reason: 'x'.repeat(401) }, `${'x'.repeat(399)}…`],
  ])('of an index or a user is told as it is, if not too long: %#', (error, told) => {
    expect(plainReason(error)).toBe(told)
  })
})
