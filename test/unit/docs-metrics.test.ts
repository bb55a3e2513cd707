import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { alertsSchema } from '../../src/config/schema.ts'
import { variables } from '../../src/config/variables.ts'
import { registerMetrics } from '../../src/metrics/metrics.ts'
import { alertNames } from '../../src/queue/read-conditions.ts'
import { alertLine } from '../../src/sync/webhook.ts'

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

  it('lists every alert, and no other', () => {
    const listed = page
      .split('\n')
      .flatMap((line) => /^\| `([a-z_]+)` \| (?:warning|critical) \|/.exec(line)?.[1] ?? [])
    expect(listed).toEqual([...alertNames])
  })

  it('shows what is posted', () => {
    const shown = JSON.parse(/```json\n(.*?)```/s.exec(page)?.[1] ?? '') as Parameters<
      typeof alertLine
    >[0] & { text: string }
    expect(shown.text).toBe(alertLine(shown))
  })

  it('has every setting of alerts with its default', () => {
    const { alertWebhook, alertBacklogAfter, alertDrift } = variables
    for (const { name, standard, key } of [
      { name: alertWebhook.name, standard: 'nobody is told', key: 'webhook' },
      { name: alertBacklogAfter.name, standard: `\`${alertBacklogAfter.default}\``, key: 'backlogAfter' },
      { name: alertDrift.name, standard: `\`${alertDrift.default}\``, key: 'drift' },
    ]) {
      expect(Object.keys(alertsSchema.shape)).toContain(key)
      expect(page).toContain(`| \`${name}\` | \`alerts.${key}\` | ${standard} |`)
    }
    expect(Object.keys(alertsSchema.shape)).toHaveLength(3)
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
