import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Lines of README.md and other pages that something else makes untrue. */

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const readme = read('README.md')
const rowsOf = (heading: string) =>
  (readme.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim()))

describe('README.md', () => {
  test('is one page', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(110)
  })

  test('has a command beside each figure, of a cell or row that exists', () => {
    const commands = rowsOf('In figures').map((cells) => cells.at(-2) ?? '')
    expect(commands.length).toBeGreaterThan(4)
    const unknown = commands.filter((command) => {
      const [, kind, name = kind] =
        /^`npm run (bench|proof|chaos) -- ([a-z][a-z-]+)?[^`]*`$/.exec(command) ?? []
      return !existsSync(join(root, `test/${kind}/${name}.ts`))
    })
    expect(unknown).toEqual([])
  })

  test('points to a page for what it says of each alternative', () => {
    const others = rowsOf('Compared with').filter(([, name = '']) => /^\[/.test(name))
    expect(others.length).toBeGreaterThanOrEqual(5)
    for (const [, name, , leaves] of others) expect(leaves, name).toMatch(/\]\(https:/)
  })
})

test('docs/security.md counts the dependencies', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: object }
  expect(read('docs/security.md')).toContain(`(${Object.keys(dependencies).length} direct ones,`)
})

test('.env.example has an empty line before each of its parts', () => {
  const lines = read('.env.example').split('\n')
  const headings = lines.flatMap((line, n) => (line.startsWith('# --- ') && n > 0 ? [lines[n - 1]] : []))
  expect(headings.length).toBeGreaterThan(3)
  expect(headings.filter((before) => before !== '')).toEqual([])
})

test('docs/glossary.md has each term once, and those that pages use without a word', () => {
  const terms = [...read('docs/glossary.md').matchAll(/^\| (\*\*.+?\*\*(?:, \*\*.+?\*\*)*) \|/gm)].flatMap(
    ([, cell = '']) => [...cell.matchAll(/\*\*(.+?)\*\*/g)].flatMap(([, term = '']) => term.split(', ')),
  )
  expect(terms.filter((term, n) => terms.indexOf(term) !== n)).toEqual([])
  const used = [
    'backlog',
    'brake',
    'detach',
    'drift',
    'fan-out',
    'lag',
    'lane',
    'mark',
    'probe',
    'run',
    'shed',
    'view',
  ]
  expect(used.filter((term) => !terms.includes(term))).toEqual([])
})
