import { readFile } from 'node:fs/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AdminServer, startAdmin } from '../../src/admin/server.ts'
import { adminSettings } from '../../src/config/admin.ts'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts'
import { type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { ask } from './admin-world.ts'

/** docs/metrics.md, "Scrape": HTTP with the page's settings for a daemon, asked as the page's Prometheus would ask it. */

const TOKEN = 'a-token-of-this-test-only'
const page = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
const part = /## Scrape\n([\s\S]*?)\n## /.exec(page)?.[1] ?? ''
const block = (language: string) => new RegExp(`\`\`\`${language}\\n([^\`]*)\`\`\``).exec(part)?.[1] ?? ''

/** What this page's YAML has: maps, `- ` before the only entry of a list of maps, and lists in brackets. Throws for others. */
function scrapeConfigOf(yaml: string): ReadonlyMap<string, string> {
  const path: { readonly depth: number; readonly key: string }[] = []
  const values = new Map<string, string>()
  for (const line of yaml.trimEnd().split('\n')) {
    const [, lead = '', key = '', value = ''] = /^([ -]*)(\w+):(?: (.*))?$/.exec(line) ?? []
    if (key === '') throw new Error(`no YAML that this test can read: ${line}`)
    while ((path.at(-1)?.depth ?? -1) >= lead.length) path.pop()
    path.push({ depth: lead.length, key })
    if (value !== '') values.set(path.map((one) => one.key).join('.'), value)
  }
  return values
}

const scrape = scrapeConfigOf(block('yaml'))
const targets = [...(scrape.get('scrape_configs.static_configs.targets') ?? '').matchAll(/'([^']+)'/g)].map(
  ([, target = '']) => target,
)

const elasticsearch = testElasticsearch()
let database: TestDatabase
let metrics: Metrics
let admin: AdminServer | null = null

beforeAll(async () => {
  database = await testDatabase()
  // NAME=value before the command; what comes from a file is this test's token.
  const stated = Object.fromEntries(
    [...block('sh').matchAll(/(ADMIN_\w+)=("[^"]*"|\S+)/g)].map(([, name = '', value = '']) => [
      name,
      value.startsWith('"$(cat ') ? TOKEN : value,
    ]),
  )
  expect(Object.keys(stated).sort()).toEqual(['ADMIN_HOST', 'ADMIN_HOSTS', 'ADMIN_TOKEN'])
  const { settings, problems } = adminSettings({
    host: stated.ADMIN_HOST ?? '',
    port: 0,
    token: stated.ADMIN_TOKEN,
    hosts: stated.ADMIN_HOSTS,
    trustedProxies: undefined,
  })
  expect(problems).toEqual([])
  const of = { postgres: database.url, schema: 'sluice', instance: 'one' }
  metrics = createMetrics({ ...of, documents: new Map() })
  admin = await startAdmin({
    ...of,
    settings,
    metrics,
    configured: { documents: new Map(), schedules: new Map() },
    elasticsearch: connectElasticsearch({ url: elasticsearch.url }, { requestTimeoutMs: 30_000 }),
    state: () => ({ state: 'running', reason: null, forMs: 0 }),
    log: pino({ level: 'silent' }),
  })
})
afterAll(async () => {
  await admin?.close()
  await metrics?.close()
  await database?.drop()
})

/** As Prometheus asks: the target is the Host, and the token of `credentials_file` a bearer token. */
const get = (host: string, token: string | null) =>
  ask(`http://127.0.0.1:${new URL(admin?.url ?? '').port}`, '/metrics', {
    headers: { host, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
  })

test('the page has a token of a file, and two targets', () => {
  expect([...scrape.keys()]).toEqual([
    'scrape_configs.job_name',
    'scrape_configs.authorization.credentials_file',
    'scrape_configs.static_configs.targets',
  ])
  expect(targets).toHaveLength(2)
})

test.each(targets)('%s is answered with the settings of the page', async (target) => {
  const answer = await get(target, TOKEN)
  expect({ status: answer.status, text: answer.text }).toMatchObject({
    status: 200,
    text: expect.stringContaining('sluice_build_info{version='),
  })
})

test('what the page says is needed, is', async () => {
  const [target = ''] = targets
  expect((await get(target, null)).status).toBe(401)
  expect((await get('search-3:9187', TOKEN)).status).toBe(421)
  expect((await get('10.1.2.3:9187', TOKEN)).status).toBe(200)
})
