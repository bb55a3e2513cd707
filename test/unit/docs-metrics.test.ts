import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { registerMetrics } from '../../src/metrics/metrics.ts'

const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')

/** What prom-client's types leave out. */
interface Registered {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly labelNames: readonly string[]
}

describe('docs/metrics.md', () => {
  it('lists every metric as it is registered, and no other', () => {
    const registry = new Registry()
    registerMetrics(registry, [])
    const registered = (registry.getMetricsAsArray() as unknown as Registered[])
      .filter(({ name }) => name.startsWith('sluice_'))
      .map(({ name, type, labelNames, help }) => {
        const labels = labelNames.map((label) => `\`${label}\``).join(', ')
        return `| \`${name}\` | ${type} | ${labels} | ${help} |`
      })
    const listed = page.split('\n').filter((line) => line.startsWith('| `sluice_'))
    expect(listed).toEqual(registered)
  })

  it('asks only for metrics that there are', () => {
    const registry = new Registry()
    registerMetrics(registry, [])
    const known = registry.getMetricsAsArray().map(({ name }) => name)
    const named = [...page.matchAll(/\bsluice_[a-z_]*[a-z]\b/g)].map(([name]) => name)
    const roles = ['sluice_daemon']
    const unknown = named.filter(
      (name) => !roles.includes(name) && !known.includes(name.replace(/_(bucket|sum|count)$/, '')),
    )
    expect(unknown).toEqual([])
  })
})
