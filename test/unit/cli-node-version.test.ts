import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { oldestNode, tooOld } from '../../src/cli/node-version.ts'

describe('the version of Node', () => {
  it('is too old before the one that package.json names', async () => {
    const { engines } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(engines.node).toBe(`>=${oldestNode}`)
  })

  it.each(['22.18.0', '22.20.1', '24.0.0', '100.1.2'])('%s will do', (version) => {
    expect(tooOld(version)).toBeNull()
  })

  it.each(['22.17.9', '20.20.2', '9.9.9'])('%s is too old', (version) => {
    expect(tooOld(version)?.remedy).toContain('Install a newer Node.js')
    expect(tooOld(version)?.message).toBe(`this is Node.js ${version}, and sluice needs 22.18 or later`)
  })
})
