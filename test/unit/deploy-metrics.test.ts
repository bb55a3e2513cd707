import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { registerMetrics, registerProcess } from '../../src/metrics/metrics.ts'

const path = (name: string) => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url))
const rules = readFileSync(path('prometheus/alerts.yml'), 'utf8')
const ruleTests = readFileSync(path('prometheus/alerts.test.yml'), 'utf8')
const dashboard = readFileSync(path('grafana/sluice.json'), 'utf8')

interface Registered {
  readonly name: string
  readonly type: string
  readonly labelNames: readonly string[]
}

/** Every series name that a daemon tells, with its labels; of a histogram three. */
function told(): ReadonlyMap<string, readonly string[]> {
  const registry = new Registry()
  registerMetrics(registry, [])
  registerProcess(registry)
  // What prom-client's types leave out.
  const all = registry.getMetricsAsArray() as unknown as readonly Registered[]
  return new Map(
    all.flatMap(({ name, type, labelNames }) =>
      type === 'histogram'
        ? ['_bucket', '_sum', '_count'].map((end) => [
            `${name}${end}`,
            end === '_bucket' ? [...labelNames, 'le'] : labelNames,
          ])
        : [[name, labelNames]],
    ) as [string, readonly string[]][],
  )
}

const known = told()
/** `up` is Prometheus' own, and so are the labels of a target. */
const names = (text: string) => [
  ...new Set([...text.matchAll(/\b(?:sluice|process|nodejs)_[a-z0-9_]*[a-z0-9]\b/g)].map(([name]) => name)),
]
/** `name{a="b", c=~"d"}` → the labels that it is chosen by. */
const chosenBy = (text: string) =>
  [...text.matchAll(/\b((?:sluice|process|nodejs)_\w+)\{([^}]*)\}/g)].flatMap(([, name = '', inner = '']) =>
    [...inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => ({ name, label })),
  )

describe.each([
  ['the rules', rules],
  ['the tests of the rules', ruleTests],
  ['the dashboard', dashboard.replaceAll('\\"', '"')],
])('%s', (_, text) => {
  it('ask only for metrics that there are', () => {
    expect(names(text).length).toBeGreaterThan(5)
    expect(names(text).filter((name) => !known.has(name))).toEqual([])
  })

  it('choose only by labels that they have', () => {
    const target = ['job', 'instance']
    const wrong = chosenBy(text).filter(
      ({ name, label }) => !target.includes(label) && !known.get(name)?.includes(label),
    )
    expect(wrong).toEqual([])
  })
})

describe('the dashboard', () => {
  const { panels, templating } = JSON.parse(dashboard) as {
    panels: { id: number; type: string; title: string; targets?: { expr: string }[] }[]
    templating: { list: { name: string }[] }
  }

  it('has panels that ask for something, each by its own number', () => {
    const asking = panels.filter(({ type }) => type !== 'row')
    expect(asking.filter(({ targets = [] }) => targets.length === 0)).toEqual([])
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  })

  it('uses only variables that it has', () => {
    const own = templating.list.map(({ name }) => name)
    const used = [...dashboard.matchAll(/\$\{?([a-zA-Z_]+)\}?/g)].map(([, name = '']) => name)
    expect(used.filter((name) => !own.includes(name) && !name.startsWith('__'))).toEqual([])
  })
})

/** PROMTOOL, or the one on the PATH. */
const promtool = process.env.PROMTOOL ?? 'promtool'
const there = spawnSync(promtool, ['--version']).status === 0
if (!there) {
  process.stderr.write(
    'promtool is missing: the rules of deploy/prometheus are NOT tested. Install Prometheus, or without root: ' +
      'apt-get download prometheus && dpkg -x prometheus_*.deb x && export PROMTOOL=$PWD/x/usr/bin/promtool\n',
  )
}

describe.skipIf(!there)('promtool (Debian package "prometheus")', () => {
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(promtool, args, { encoding: 'utf8' })
    return { status, said: stdout + stderr }
  }

  it('finds nothing wrong with the rules', () => {
    expect(run('check', 'rules', path('prometheus/alerts.yml'))).toMatchObject({ status: 0 })
  })

  it('sees every rule fire when it should, and not before', () => {
    expect(run('test', 'rules', path('prometheus/alerts.test.yml'))).toMatchObject({ status: 0 })
  })
})

it('every rule has a test in which it fires', () => {
  const rule = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
  const fires = [...ruleTests.matchAll(/alertname: (\w+)\n\s+exp_alerts/g)].map(([, name]) => name)
  expect(new Set(fires)).toEqual(new Set(rule))
})
