import { expect, test } from 'vitest'
import { readAssets } from '../../src/admin/assets.ts'

test('the dashboard is half of its hundred kilobytes at most, compressed as every browser takes it', async () => {
  const assets = await readAssets()
  expect([...assets.keys()]).toEqual(
    expect.arrayContaining(['index.html', 'main.js', 'uplot.js', 'uplot.css']),
  )
  expect([...assets.values()].reduce((sum, { gzipped }) => sum + gzipped.length, 0)).toBeLessThan(50_000)
})

test('each of its files has a type, and a tag of its own', async () => {
  const assets = await readAssets()
  for (const [name, { type }] of assets) expect(type, name).toMatch(/^(text|image)\//)
  expect(new Set([...assets.values()].map(({ etag }) => etag)).size).toBe(assets.size)
})
