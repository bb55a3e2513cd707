import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { unknownIn } from '../support/commands-told.ts'
import { linksOf } from '../support/links.ts'

/** The pages of docs/: all are in the index, and every link leads somewhere. */

const root = join(import.meta.dirname, '../..')
const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs', name))
const all = [...pages, 'README.md', 'CHANGELOG.md', 'examples/shop/README.md']
const read = (path: string) => readFileSync(join(root, path), 'utf8')

const linksIn = (path: string) => linksOf(read(path))

/** As GitHub makes them of headings; the second of one name has a number. */
function anchorsOf(path: string): ReadonlySet<string> {
  const prose = read(path).replaceAll(/^```[\s\S]*?^```/gm, '')
  const anchors = new Set<string>()
  for (const [, heading = ''] of prose.matchAll(/^#{1,6} (.*)$/gm)) {
    const anchor = heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    let unique = anchor
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`
    anchors.add(unique)
  }
  return anchors
}

test('docs/README.md leads to every page', () => {
  const linked = linksIn('docs/README.md').map((link) => join('docs', link))
  const missing = pages.filter((page) => page !== 'docs/README.md' && !linked.includes(page))
  expect(missing).toEqual([])
  expect(linksIn('README.md')).toContain('docs/README.md')
})

describe('links within the repository lead to what is there', () => {
  test.each(all)('%s', (page) => {
    const dead = linksIn(page).filter((link) => {
      if (/^[a-z]+:/.test(link)) return false
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : relative(root, resolve(root, dirname(page), path))
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor)
    })
    expect(dead).toEqual([])
  })
})

describe('commands that pages name exist, with their options', async () => {
  const program = await createProgram({ json: false })
  test.each(all.filter((page) => page !== 'CHANGELOG.md'))('%s', (page) => {
    const text = read(page)
    const shell = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
      block.split('\n'),
    )
    const inline = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
    const told = [...shell, ...inline].flatMap((line) => [
      ...line.matchAll(/(?:^|&& )(?:npx )?sluice ([a-z][^#|>;&]*)/g),
    ])
    const unknown = told.flatMap(([, rest = '']) => unknownIn(program, rest))
    expect(unknown).toEqual([])
  })
})
