import { expect, test } from 'vitest'
import { skippedLines } from '../support/skipped.ts'

test('what was not run is named, by file', () => {
  expect(skippedLines([])).toEqual([])
  expect(
    skippedLines([
      { file: 'test/unit/a.test.ts', name: 'promtool > one' },
      { file: 'test/unit/b.test.ts', name: 'two' },
      { file: 'test/unit/a.test.ts', name: 'promtool > three' },
    ]),
  ).toEqual([
    'SKIPPED test/unit/a.test.ts: promtool > one; promtool > three',
    'SKIPPED test/unit/b.test.ts: two',
  ])
})
