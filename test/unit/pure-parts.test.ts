import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { pureFiles, pureParts } from '../mutation/pure-parts.ts'

// `npm run coverage` and `npm run mutation` look at what is in this list alone.
describe('the list of the pure parts', () => {
  test('names only what is there, once', () => {
    const named = [...pureParts.folders, ...pureParts.files, ...Object.keys(pureParts.except)]
    expect(named.filter((path) => !existsSync(path))).toEqual([])
    expect(pureFiles()).toEqual([...new Set(pureFiles())])
    expect(pureParts.files).toEqual([...pureParts.files].sort())
  })

  test('leaves out nothing of a pure folder but what it says, and why', () => {
    const all = pureParts.folders.flatMap((folder) => globSync(`${folder}/**/*.ts`))
    expect(all.filter((file) => !pureFiles().includes(file) && !pureParts.except[file])).toEqual([])
    expect(Object.values(pureParts.except)).not.toContain('')
  })

  test('has what unit tests read, or says why not', () => {
    const sources = new Set(globSync('test/unit/**/*.ts').flatMap(importedSources))
    const known = new Set([...pureFiles(), ...Object.keys(pureParts.except)])
    const unknown = [...sources].filter((file) => !known.has(file))
    expect(unknown, 'to be named in test/mutation/pure-parts.json: files, or except with the reason').toEqual(
      [],
    )
  })
})

/** Files of src/ that a test imports more than types of. */
function importedSources(test: string): string[] {
  const text = readFileSync(test, 'utf8')
  return [...text.matchAll(/^import (?!type )[^']*?from '(\.\.\/\.\.\/src\/[^']+)'/gms)].map(
    ([, path = '']) => relative(resolve('.'), join(resolve(dirname(test)), path)),
  )
}
