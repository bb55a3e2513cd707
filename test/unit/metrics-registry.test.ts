import { createServer } from 'node:net'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { CountedHistogram } from '../../src/metrics/counted-histogram.ts'
import { DaemonMetrics } from '../../src/metrics/daemon-metrics.ts'
import { DatabaseMetrics } from '../../src/metrics/database-metrics.ts'
import { createMetrics } from '../../src/metrics/metrics.ts'
import type { Reading } from '../../src/metrics/read-database.ts'
import type { Vitals } from '../../src/sync/observer.ts'
import { Tally } from '../../src/sync/tally.ts'
import type { BatchResult } from '../../src/sync/types.ts'

const idle: Vitals = {
  state: 'running',
  inFlight: { interactive: 0, bulk: 0, limit: 2 },
  pauses: [],
  draws: 0,
  connections: { open: 3, idle: 2, waiting: 0, most: 10 },
}

function settled(
  tally: Tally,
  more: Partial<Extract<BatchResult, { outcome: 'settled' }>> = {},
): BatchResult {
  const nothing = { givenBack: 0, obstacle: null, tripped: null, foreign: null, full: false }
  return { outcome: 'settled', tally, ...nothing, ...more }
}

describe('every metric', () => {
  const registry = new Registry()
  new DaemonMetrics(registry, ['city'])
  new DatabaseMetrics(registry)
  const all = registry.getMetricsAsArray()

  it.each(all.map(({ name, help, type }) => [name, help, String(type)]))(
    '%s says what it is, and is named as Prometheus wants it',
    (name, help, type) => {
      expect(help).toMatch(/^\S.*[^ ]$/s)
      expect(name).toMatch(/^sluice_[a-z][a-z_]*[a-z]$/)
      expect(name.endsWith('_total')).toBe(type === 'counter')
      // Base units only.
      expect(name).not.toMatch(/_(ms|milliseconds|minutes|kb|kilobytes|percent)(_|$)/)
    },
  )
})

describe('a daemon', () => {
  it('counts what became of its batches, to the last operation', async () => {
    const registry = new Registry()
    const metrics = new DaemonMetrics(registry, ['city'])
    const tally = new Tally()
    for (const lag of [3, 7, 1_500, 9_000_000]) {
      tally.add({ index: 'cities-1', operation: 'index', outcome: 'done' }, 100, lag, 1)
    }
    tally.add({ index: 'cities-1', operation: 'delete', outcome: 'superseded' }, 0, 8, 1)
    tally.add({ index: 'cities-1', operation: 'index', outcome: 'blocked' }, 50, 77_000, 1)
    const obstacle = { scope: 'document', type: 'sqlstate_42703', reason: 'no column "x"' } as const
    metrics.batch({ document: 'city', lane: 0 }, settled(tally, { givenBack: 4, obstacle }))
    metrics.batch({ document: 'city', lane: 1 }, { outcome: 'expanded', turned: 9, verify: null })
    metrics.batch({ document: 'city', lane: 2, target: 'cities-1' }, { outcome: 'given-back', obstacle })

    const lines = (await registry.metrics()).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'sluice_batches_total{document="city",lane="interactive",outcome="settled"} 1',
        'sluice_batches_total{document="city",lane="bulk",outcome="expanded"} 1',
        'sluice_batches_total{document="city",lane="parked",outcome="given_back"} 1',
        'sluice_items_total{document="city",operation="index",outcome="done"} 4',
        'sluice_items_total{document="city",operation="delete",outcome="superseded"} 1',
        'sluice_items_total{document="city",operation="index",outcome="blocked"} 1',
        'sluice_sent_bytes_total{document="city"} 450',
        'sluice_given_back_keys_total{document="city"} 4',
        'sluice_obstacles_total{scope="document",type="sqlstate_42"} 2',
        // 3 ms; then 7 and 8; then 1.5 s; then two and a half hours.
        'sluice_lag_seconds_bucket{le="0.005",document="city"} 1',
        'sluice_lag_seconds_bucket{le="0.01",document="city"} 3',
        'sluice_lag_seconds_bucket{le="1",document="city"} 3',
        'sluice_lag_seconds_bucket{le="2",document="city"} 4',
        'sluice_lag_seconds_bucket{le="7200",document="city"} 4',
        'sluice_lag_seconds_bucket{le="+Inf",document="city"} 5',
        'sluice_lag_seconds_count{document="city"} 5',
        'sluice_lag_seconds_sum{document="city"} 9001.518',
      ]),
    )
  })

  it('tells how it stands at the moment of the question', async () => {
    const registry = new Registry()
    const metrics = new DaemonMetrics(registry, ['city'])
    let vitals: Vitals = {
      ...idle,
      inFlight: { interactive: 1, bulk: 2, limit: 3 },
      pauses: [
        { document: 'city', index: null, type: 'http_429' },
        { document: 'city', index: 'cities-1', type: 'cluster_block_exception' },
        { document: 'city', index: 'cities-2', type: 'cluster_block_exception' },
      ],
      draws: 5,
    }
    metrics.begins(() => vitals)
    metrics.refresh()
    const busy = await registry.metrics()
    expect(busy).toContain('sluice_pauses{document="city",scope="document",type="http_429"} 1\n')
    expect(busy).toContain('sluice_pauses{document="city",scope="index",type="cluster_block_exception"} 2\n')
    expect(busy).toContain('sluice_batches_in_flight{lane="bulk"} 2\n')
    expect(busy).toContain('sluice_versions_drawn_total 5\n')
    expect(busy).toContain('sluice_postgres_connections{state="active"} 1\n')
    expect(busy).toContain('sluice_daemon_state{state="running"} 1\n')

    vitals = { ...idle, state: 'waiting', draws: 7 }
    metrics.refresh()
    const later = await registry.metrics()
    expect(later).not.toContain('sluice_pauses{')
    expect(later).toContain('sluice_versions_drawn_total 7\n')
    expect(later).toContain('sluice_daemon_state{state="running"} 0\n')
    expect(later).toContain('sluice_daemon_state{state="waiting"} 1\n')
  })

  it('makes no series of what it does not know, however strange that is', async () => {
    const registry = new Registry()
    const metrics = new DaemonMetrics(registry, ['city'])
    const series = async () =>
      (await registry.metrics()).split('\n').filter((line) => line.startsWith('sluice_')).length
    const feed = (n: number) => {
      const strange = `tenant-${n}"} 1\n# {id="${n}"`
      const obstacle = { scope: 'document', type: strange, reason: strange } as const
      const tally = new Tally()
      tally.add({ index: strange, operation: 'index', outcome: 'done' }, 1, 1, 1)
      metrics.batch({ document: strange, lane: 0 }, settled(tally, { obstacle }))
      metrics.begins(() => ({ ...idle, pauses: [{ document: strange, index: strange, type: strange }] }))
      metrics.refresh()
      const item = { outcome: 'dead', type: strange, reason: strange } as const
      metrics.bulk({ bytes: n, elapsedMs: n, answer: { outcome: 'answered', items: [item], tookMs: 1 } })
    }
    feed(0)
    const after = await series()
    for (let n = 1; n < 200; n++) feed(n)
    expect(await series()).toBe(after)
    expect(await registry.metrics()).not.toContain('tenant-')
  })
})

describe('what the database says', () => {
  const reading: Reading = {
    documents: [{ document: 'city', state: 'paused' }],
    queue: [{ document: 'city', lane: 1, keys: 40 }],
    oldest: [{ document: 'city', lane: 1, seconds: 90 }],
    failures: [
      { document: 'city', state: 'dead', type: 'a_new_exception', count: 2 },
      { document: 'city', state: 'dead', type: 'another_new_exception', count: 3 },
    ],
    runs: [{ document: 'city', kind: 'backfill', processed: 25, total: 100 }],
    lastRuns: [{ document: 'city', kind: 'verify', failed: true, endedAt: 1_700_000_000 }],
    differences: [{ document: 'city', missing: '1', stale: '0', extra: '3' }],
    alerts: [{ name: 'drift', document: 'city', severity: 'warning' }],
    workers: [{ alive: 2 }],
  }

  it('replaces what it said before, and is left out where it says nothing', async () => {
    const registry = new Registry()
    const metrics = new DatabaseMetrics(registry)
    metrics.refresh(reading)
    const said = await registry.metrics()
    for (const line of [
      'sluice_database_up 1',
      'sluice_document_state{document="city",state="paused"} 1',
      'sluice_pending_keys{document="city",lane="bulk"} 40',
      'sluice_oldest_pending_age_seconds{document="city",lane="bulk"} 90',
      'sluice_failed_documents{document="city",state="dead",type="other"} 5',
      'sluice_run_progress_ratio{document="city",kind="backfill"} 0.25',
      'sluice_last_run_failed{document="city",kind="verify"} 1',
      'sluice_verify_differences{document="city",kind="extra"} 3',
      'sluice_alerts{name="drift",document="city",severity="warning"} 1',
      'sluice_workers_alive 2',
      'sluice_database_question_answered{question="queue"} 1',
      'sluice_database_question_answered{question="snapshots"} 0',
    ]) {
      expect(said).toContain(`${line}\n`)
    }
    expect(said).not.toMatch(/^sluice_oldest_snapshot_age_seconds /m)

    metrics.refresh(null)
    const silent = (await registry.metrics()).split('\n').filter((line) => /^sluice_/.test(line))
    expect(silent).toEqual(['sluice_database_up 0'])
  })
})

describe('a histogram of counted observations', () => {
  it('adds up what it is given, by series', async () => {
    const registry = new Registry()
    const make = {
      name: 'x_seconds',
      help: 'x',
      labelNames: ['a'] as const,
      buckets: [1, 2],
      registers: [registry],
    }
    const histogram = new CountedHistogram(make)
    histogram.add({ a: 'b' }, [1, 0, 2], 9)
    histogram.add({ a: 'b' }, [1, 1, 0], 2.5)
    histogram.add({ a: 'c' }, [], 0)
    expect((await registry.metrics()).split('\n').slice(0, 8)).toEqual([
      '# HELP x_seconds x',
      '# TYPE x_seconds histogram',
      'x_seconds_bucket{le="1",a="b"} 2',
      'x_seconds_bucket{le="2",a="b"} 3',
      'x_seconds_bucket{le="+Inf",a="b"} 5',
      'x_seconds_sum{a="b"} 11.5',
      'x_seconds_count{a="b"} 5',
      'x_seconds_bucket{le="1",a="c"} 0',
    ])
  })
})

describe('a scrape', () => {
  const settings = (port: number) => ({
    postgres: `postgres://127.0.0.1:${port}/nothing`,
    schema: 'sluice',
    instance: 'x',
    documents: new Map(),
  })

  it('is given by a process whose database refuses it', async () => {
    const metrics = createMetrics(settings(1))
    try {
      const text = await metrics.render()
      expect(text).toContain('sluice_database_up 0\n')
      expect(text).toContain('process_cpu_seconds_total')
      expect(metrics.contentType).toContain('text/plain')
    } finally {
      await metrics.close()
    }
  })

  it('does not wait for a database that takes connections and never says a word', async () => {
    const sockets = new Set<{ destroy(): void }>()
    const silent = createServer((socket) => sockets.add(socket))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const metrics = createMetrics({
      ...settings(typeof address === 'object' && address !== null ? address.port : 0),
      patienceMs: 50,
    })
    try {
      expect(await metrics.render()).toContain('sluice_database_up 0\n')
    } finally {
      for (const socket of sockets) socket.destroy()
      silent.close()
      await metrics.close()
    }
  })
})
