import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Documented, documentedIn, pages } from '../support/documented/commands.ts'
import { exceptions, followed, runBy } from '../support/documented/elsewhere.ts'
import { chapters } from '../support/documented/steps.ts'

/**
 * Every command and every SQL of README.md and docs/ is run by a test, or is an exception that says why. After a change of
 * a document: give the command a step in test/support/documented/steps-*.ts.
 */

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const documented = pages.flatMap(documentedIn)
const texts = new Set(documented.map(({ text }) => text))
const steps = new Set(chapters.flatMap((chapter) => chapter.steps.map(({ run }) => run)))

/** The page's own test reads it. */
function isFollowed({ page, from, language, text }: Documented): boolean {
  const test = followed[page]
  if (test === undefined) return false
  if (from === 'span') return test.spans?.test(text) ?? false
  return (
    from === 'block' &&
    test.languages.includes(language) &&
    (language === 'sql' || (test.only?.test(text) ?? true))
  )
}

test('every command of the documents is run, or an exception', () => {
  expect(documented.length).toBeGreaterThan(300)
  // What one page's test runs is run, wherever else it stands.
  const run = new Set(documented.filter(isFollowed).map(({ text }) => text))
  const never = documented.filter(
    ({ text }) => !run.has(text) && !steps.has(text) && !(text in runBy) && !(text in exceptions),
  )
  expect(never.map(({ page, text }) => `${page}: ${text}`)).toEqual([])
})

test('what is run for the documents stands in them', () => {
  const named = [...steps, ...Object.keys(runBy), ...Object.keys(exceptions)]
  expect(named.filter((text) => !texts.has(text))).toEqual([])
  const both = Object.keys(exceptions).filter((text) => steps.has(text) || text in runBy)
  expect(both).toEqual([])
})

test('the tests that are named read the pages that they are named for', () => {
  for (const [page, { test: file }] of Object.entries(followed)) {
    expect(pages).toContain(page)
    expect(read(file), `${file}: ${page}`).toContain(page.split('/').at(-1))
  }
  for (const file of Object.values(runBy)) expect(read(file)).not.toBe('')
})

test('scripts of this repository that are named are there', () => {
  const { scripts } = JSON.parse(read('package.json')) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  const called = [...texts].flatMap((text) =>
    [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, script = '']) => script),
  )
  expect(called.length).toBeGreaterThan(20)
  expect(called.filter((script) => !(script in scripts))).toEqual([])
})
