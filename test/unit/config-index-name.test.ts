import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { indexNameProblem, indicesOverlap, maxIndexNameBytes } from '../../src/config/index-name.ts'
import { physicalName, templatePattern } from '../../src/elasticsearch/names.ts'

describe('an index name', () => {
  it.each([
    ['cities', null],
    ['cities-old_2', null],
    ['städte', null],
    ['a'.repeat(maxIndexNameBytes), null],
    ['', 'is empty'],
    ['.', 'may not be "." or ".."'],
    ['..', 'may not be "." or ".."'],
    ['Cities', 'must be lower case'],
    ['-cities', 'may not start with "-", "_" or "+"'],
    ['_cities', 'may not start with "-", "_" or "+"'],
    ['+cities', 'may not start with "-", "_" or "+"'],
    ['ci*', 'may not contain "*"'],
    ['ci?', 'may not contain "?"'],
    ['a,b', 'may not contain ","'],
    ['a b', 'may not contain " "'],
    ['a:b', 'may not contain ":"'],
    ['a#b', 'may not contain "#"'],
    ['a/b', 'may not contain "/"'],
    ['a\\b', 'may not contain "\\\\"'],
    ['a"b', 'may not contain "\\""'],
    ['<a>', 'may not contain "<"'],
    ['a|b', 'may not contain "|"'],
    ['cities-{tenant}', 'may not contain "{"'],
    ['a'.repeat(maxIndexNameBytes + 1), `is longer than ${maxIndexNameBytes} bytes`],
    ['ä'.repeat(maxIndexNameBytes / 2 + 1), `is longer than ${maxIndexNameBytes} bytes`],
  ])('%j: %s', (name, problem) => {
    expect(indexNameProblem(name)).toBe(problem)
  })

  it('leaves room for what a physical name appends', () => {
    const physical = physicalName('a'.repeat(maxIndexNameBytes), new Date(), 'k3x9qa')
    expect(Buffer.byteLength(physical)).toBe(255)
  })
})

describe('two indices', () => {
  it.each([
    ['cities', 'cities', true],
    ['cities', 'cities-2', true],
    ['cities', 'cities-2026', true],
    ['cities', 'cities-20260801030000-k3x9qa', true],
    ['cities', 'cities-old', false],
    ['cities', 'cities2', false],
    ['cities', 'cities-1', false],
    ['cities-1', 'cities-12', false],
    ['cities', 'countries', false],
  ])('%s and %s: %s', (a, b, overlap) => {
    expect(indicesOverlap(a, b)).toBe(overlap)
    expect(indicesOverlap(b, a)).toBe(overlap)
  })

  // Few letters and short names, so that meetings are frequent: about one pair in twenty.
  const name = fc.stringMatching(/^[a2][a2-]{0,5}$/)

  it('overlap exactly when some name fits both template patterns', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        expect(indicesOverlap(a, b)).toBe(intersect(templatePattern(a), templatePattern(b)))
      }),
      { numRuns: 5000 },
    )
  })

  it('that do not overlap never fit the pattern of the other, with their alias or a physical name', () => {
    fc.assert(
      fc.property(name, name, fc.stringMatching(/^[a-z0-9]{6}$/), (a, b, random) => {
        fc.pre(!indicesOverlap(a, b))
        for (const used of [b, physicalName(b, new Date(), random)])
          expect(fits(templatePattern(a), used)).toBe(false)
      }),
      { numRuns: 5000 },
    )
  })
})

/** Whether two wildcard patterns have a name in common, by walking both at once: the definition, not the rule. */
function intersect(a: string, b: string): boolean {
  if (a === '' && b === '') return true
  if (a.startsWith('*')) return intersect(a.slice(1), b) || (b !== '' && intersect(a, b.slice(1)))
  if (b.startsWith('*')) return intersect(a, b.slice(1)) || (a !== '' && intersect(a.slice(1), b))
  return a !== '' && a[0] === b[0] && intersect(a.slice(1), b.slice(1))
}

function fits(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern.startsWith('*'))
    return fits(pattern.slice(1), text) || (text !== '' && fits(pattern, text.slice(1)))
  return text !== '' && pattern[0] === text[0] && fits(pattern.slice(1), text.slice(1))
}
