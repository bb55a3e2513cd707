import { afterAll, beforeAll, expect, test } from 'vitest'
import { curlFor } from '../../src/cli/doctor/curl.ts'
import { diagnose } from '../../src/cli/doctor/diagnose.ts'
import { examine } from '../../src/cli/doctor/examine.ts'
import type { DoctorFinding } from '../../src/cli/doctor/finding.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { limitsOf } from '../integration/doctor-world.ts'
import { type InstallWorld, installWorld } from '../integration/install-world.ts'
import { eventually } from '../support/eventually.ts'
import { type Server, startElasticsearch } from '../support/servers/index.ts'

/** What `doctor` finds of a cluster as a whole: its settings are everybody's, so it takes a server of its own. */

let server: Server
let world: InstallWorld
let elasticsearch: Elasticsearch

beforeAll(async () => {
  server = await startElasticsearch({ heap: '512m', brief: true })
  elasticsearch = connectElasticsearch({ url: server.url }, { requestTimeoutMs: 30_000 })
  world = await installWorld()
  // For the schema.
  await world.install({}, { backfill: false })
}, 300_000)
afterAll(async () => {
  await elasticsearch?.close()
  await world?.drop()
  await server?.stop()
})

async function findings(): Promise<readonly DoctorFinding[]> {
  const settings = {
    postgres: world.database.url,
    elasticsearch: { url: server.url },
    schema: world.schema,
    instance: 'doctor',
    logLevel: 'silent',
    documents: new Map(),
    file: 'sluice.config.ts',
    limits: limitsOf(),
  } as const
  const examined = await examine(world.database.pool, elasticsearch, settings, new Map())
  return diagnose(examined, curlFor({ url: server.url }), new Date())
}

async function request(method: string, path: string, body?: object): Promise<void> {
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  expect({ status: answer.status, body: await answer.text() }).toMatchObject({ status: 200 })
}

/** What has to stay free, for each watermark: more than any disk has, or as good as nothing. */
function watermarks(low: boolean, high: boolean, flood: boolean): Promise<void> {
  const free = (passed: boolean) => (passed ? '900tb' : '1b')
  return request('PUT', '/_cluster/settings', {
    transient: {
      'cluster.routing.allocation.disk.threshold_enabled': true,
      'cluster.routing.allocation.disk.watermark.low': free(low),
      'cluster.routing.allocation.disk.watermark.high': free(high),
      'cluster.routing.allocation.disk.watermark.flood_stage': free(flood),
    },
  })
}

test('a disk that is past each watermark, and none once there is room', async () => {
  for (const [low, high, flood, severity, passed] of [
    [true, false, false, 'warning', 'low'],
    [true, true, false, 'warning', 'high'],
    [true, true, true, 'error', 'flood_stage'],
  ] as const) {
    await watermarks(low, high, flood)
    expect(await findings()).toEqual([
      expect.objectContaining({
        name: 'disk_low',
        severity,
        evidence: expect.stringContaining(`past the watermark ${passed}: `),
      }),
    ])
  }
  await watermarks(false, false, false)
  expect(await findings()).toEqual([])
})

test('an index of which no node takes a shard: the cluster is red, and the remedy says why', async () => {
  await request('PUT', '/nowhere?wait_for_active_shards=0', {
    settings: { 'index.routing.allocation.require._name': 'nobody', 'index.number_of_replicas': 0 },
  })
  const [found, ...others] = await eventually(async () => {
    const now = await findings()
    return now.length > 0 ? now : null
  })
  expect(others).toEqual([])
  expect(found).toMatchObject({
    name: 'shards_missing',
    severity: 'error',
    evidence: 'the cluster is red, with 1 shard without a node',
    remedy: expect.stringContaining('/_cluster/allocation/explain'),
  })
  await request('GET', '/_cluster/allocation/explain')
  await request('DELETE', '/nowhere')
  await eventually(async () => expect(await findings()).toEqual([]))
})
