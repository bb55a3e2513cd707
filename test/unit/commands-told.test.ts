import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { suggest } from '../../src/catalog/suggest.ts'
import { createProgram } from '../../src/cli/program.ts'
import { unknownIn } from '../support/commands-told.ts'

/** What messages, remedies and alerts tell somebody to type exists. Pages: docs-index.test.ts. */

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const program = await createProgram({ json: false })
const commands = new Set(program.commands.map((command) => command.name()))

interface Told {
  /** What follows `sluice `, up to the end of what belongs to it. */
  readonly rest: string
  readonly where: string
}

function toldIn(where: string, text: string): readonly Told[] {
  return [...text.matchAll(/(?<![\w/.@-])sluice ([a-z]+(?:(?! sluice )[^'"`.,;:()\n])*)/g)].map(
    ([, rest = '']) => ({ rest, where }),
  )
}

/** Without comments, and with one word for what is put in. */
const literals = (text: string) =>
  text
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(?<=^|\s)\/\/ .*$/gm, '')
    .replaceAll(/\$\{[^}]*\}/g, 'X')

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(ts|js)$/.test(name))
  .flatMap((name) => toldIn(`src/${name}`, literals(read(`src/${name}`))))
const migrations = readdirSync(join(root, 'migrations'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.sql'))
  .flatMap((name) => toldIn(name, read(`migrations/${name}`).replaceAll(/--(?= ).*$/gm, '')))
const deployed = readdirSync(join(root, 'deploy'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(yml|json|service|mjs|cjs)$/.test(name))
  .flatMap((name) => toldIn(`deploy/${name}`, read(`deploy/${name}`).replaceAll(/\{\{[^}]*\}\}/g, 'X')))

describe.each([
  ['src', sources, 60],
  ['migrations', migrations, 1],
  ['deploy', deployed, 8],
])('%s', (_, told, atLeast) => {
  const first = (rest: string) => /^[a-z]+/.exec(rest)?.[0] ?? ''

  test('tells of commands that exist, with their options', () => {
    const meant = told.filter(({ rest }) => commands.has(first(rest)))
    expect(meant.length).toBeGreaterThanOrEqual(atLeast)
    expect(
      meant.flatMap(({ rest, where }) => unknownIn(program, rest).map((what) => `${where}: ${what}`)),
    ).toEqual([])
  })

  /** "sluice follows" is prose, a word with an option or nearly a command is meant as one. */
  test('tells of none that is misspelt or gone', () => {
    const names = [...commands]
    const others = told.filter(({ rest }) => !commands.has(first(rest)))
    const wrong = others.filter(({ rest }) => / --[a-z]/.test(rest) || suggest(first(rest), names) !== '')
    expect(wrong).toEqual([])
  })
})
