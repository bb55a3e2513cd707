import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { measuredCommit } from '../bench/commit.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-commit-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

const git = (...args: readonly string[]) => {
  const who = ['-c', 'user.name=test', '-c', 'user.email=test@localhost']
  return execFileSync('git', [...who, ...args], { cwd: directory, encoding: 'utf8' }).trim()
}

function write(path: string, text: string): void {
  mkdirSync(join(directory, path, '..'), { recursive: true })
  writeFileSync(join(directory, path), text)
}

function commit(path: string, text: string): string {
  write(path, text)
  git('add', '.')
  git('commit', '-q', '-m', text)
  return git('rev-parse', 'HEAD')
}

test('what is measured has the commit that changed it last, whatever became of the documentation', async () => {
  git('init', '-q')
  const first = await measuredCommit(directory)
  const program = commit('src/a.ts', 'one')
  commit('docs/a.md', 'two')
  write('docs/a.md', 'three')
  expect(await measuredCommit(directory)).toBe(program)
  write('src/a.ts', 'four')
  expect(await measuredCommit(directory)).toBe(`${program}-modified`)
  const cell = commit('test/bench/a.ts', 'five')
  expect(await measuredCommit(directory)).toBe(cell)
  expect(first).toBe(null)
})

test('without a repository it has none', async () => {
  expect(await measuredCommit(directory)).toBe(null)
})
