import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errorTypeLabel } from '../../src/metrics/labels.ts'

test('each type of error that is ours is told as it is', () => {
  const sources = globSync('src/{sync,elasticsearch}/**/*.ts').map((file) => readFileSync(file, 'utf8'))
  const ours = sources.flatMap((text) => [...text.matchAll(/\btype: '([a-z_]+)'/g)].map(([, type]) => type))
  expect(ours.length).toBeGreaterThan(10)
  expect(ours.filter((type) => type !== undefined && errorTypeLabel(type) !== type)).toEqual([])
})
