import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoJson } from '../../src/answers/json/demo.ts'
import { eventually } from '../support/context.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type CommandWorld, commandWorld } from './cli-support.ts'

/** `sluice demo`, as somebody runs it who has the package and two servers: and nothing of it is there in the end. */

let world: CommandWorld
let proxy: FaultProxy
beforeAll(async () => {
  world = await commandWorld()
  proxy = await startFaultProxy(world.search.url)
})
afterAll(async () => {
  await proxy?.close()
  await world?.drop()
})

const value = async (sql: string) => (await world.db.pool.query({ text: sql, rowMode: 'array' })).rows[0]?.[0]
/** Schemas besides Postgres' own. */
const schemas = () =>
  value(
    `SELECT coalesce(string_agg(nspname, ' ' ORDER BY nspname), '') FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|public$)'`,
  )
const aliasIn = (text: string) => /sluice-demo-[\da-f]{6}/.exec(text)?.[0] ?? 'none was named'
/** Physical indices and templates of an alias. */
const remains = async (alias: string) => {
  const indices = (await world.search.request('GET', `/_cat/indices/${alias}*?format=json`)) as unknown[]
  const templates = (await world.search.request('GET', `/_index_template/*${alias}*`)) as {
    readonly index_templates?: readonly unknown[]
  }
  return { indices: indices.length, templates: templates.index_templates?.length ?? 0 }
}
const nothing = { indices: 0, templates: 0 }

/** Of the demo that was kept. */
let kept = ''

test('it shows everything, leaves it where that is asked for, and says where to look', async () => {
  const { code, stdout, stderr } = await world.place.sluice(['demo', '--keep'])
  expect({ code, stderr }).toMatchObject({ code: 0 })
  for (const said of [
    '120 authors and 3,000 books in schema sluice_demo',
    '8 triggers: whatever changes a row',
    /An index, with the alias sluice-demo-[\da-f]{6} for searches/,
    /3,000 documents in [\d,]+ ms/,
    /26 documents in Elasticsearch [\d,]+ ms after the commit, searchable after [\d,]+ ms/,
    'the marks of 3,000 rows went with the transaction',
    'set aside as a dead letter',
    'sluice failed retry book --id 42 --schema sluice_demo_sync',
    '3,000 rows, 3,000 documents: 0 missing, 0 stale, 0 extra',
  ])
    expect(stderr).toMatch(said)
  kept = aliasIn(stdout)
  expect(await schemas()).toBe('sluice_demo sluice_demo_sync')
  const found = (await world.search.request('GET', `/${kept}/_search?q=author.country:Japan`)) as {
    readonly hits: { readonly total: { readonly value: number } }
  }
  expect(found.hits.total.value).toBe(
    await value(
      `SELECT count(*)::int FROM sluice_demo.book JOIN sluice_demo.author a ON a.id = author_id WHERE country = 'Japan'`,
    ),
  )
  expect(await value('SELECT synced_last_hour >= 3000 FROM sluice_demo_sync.sync_stats')).toBe(true)
  // One of the command lines that it ends with, as it stands there.
  const [, line = ''] = /^ {2}sluice (inspect .*)$/m.exec(stdout) ?? []
  expect(await world.place.sluice(line.split(' '))).toMatchObject({ code: 0 })
})

test('what an earlier one has left is removed first; with --json it says what it saw', async () => {
  expect(await remains(kept)).not.toEqual(nothing)
  const { code, value: said } = await world.place.json(['demo'])
  expect({ code, said }).toMatchObject({ code: 0 })
  const report = demoJson.parse(said)
  expect(report).toMatchObject({
    backfill: { documents: 3000 },
    changes: [{ documents: 1 }, { documents: 26 }, { documents: 1 }],
    rolledBack: { rows: 3000, unchanged: true },
    deadLetter: { id: '42', reason: expect.stringContaining('immense term'), retried: 1 },
    verify: { rows: 3000, documents: 3000, missing: 0, stale: 0, extra: 0 },
    kept: false,
  })
  for (const { indexedMs, searchableMs } of report.changes) {
    expect(indexedMs).toBeGreaterThan(0)
    expect(searchableMs).toBeGreaterThan(indexedMs)
  }
  expect(report.index).not.toBe(kept)
  expect(await schemas()).toBe('')
  expect([await remains(kept), await remains(report.index)]).toEqual([nothing, nothing])
})

describe('it refuses, and changes nothing', () => {
  test("where a schema of that name is somebody else's", async () => {
    await world.db.pool.query('CREATE SCHEMA sluice_demo; CREATE TABLE sluice_demo.mine (id int)')
    const { code, stderr } = await world.place.sluice(['demo'])
    expect(code).toBe(2)
    expect(stderr).toContain('sluice_demo is there already, and no demo has made it')
    expect(stderr).toContain('ALTER SCHEMA sluice_demo RENAME TO')
    expect(await value('SELECT count(*)::int FROM sluice_demo.mine')).toBe(0)
    expect(await schemas()).toBe('sluice_demo')
    await world.db.pool.query('DROP SCHEMA sluice_demo CASCADE')
  })

  test('where another one is at work; which Ctrl-C ends, and nothing is left of it', async () => {
    // Its backfill does not come to an end.
    proxy.break('/_bulk', { kind: 'hang' })
    const other = world.place.start(['demo'], { ELASTICSEARCH_URL: proxy.url, SHUTDOWN_TIMEOUT: '1000' })
    await eventually(() => proxy.seen.includes('POST /_bulk'), { timeoutMs: 60_000, describe: other.output })
    const { code, stdout } = await world.place.sluice(['demo', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'failed', message: 'another sluice demo is at work in this database' },
    })
    expect(await schemas()).toBe('sluice_demo sluice_demo_sync')

    other.process.kill('SIGINT')
    const ended = await other.ended
    proxy.heal()
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('error: interrupted; what was made is removed again'),
    })
    expect([await schemas(), await remains(aliasIn(ended.stderr))]).toEqual(['', nothing])
  })

  test('with a role that may make no schema', async () => {
    const role = `demo_${randomBytes(5).toString('hex')}`
    await world.db.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'demo'`)
    const url = Object.assign(new URL(world.db.url), { username: role, password: 'demo' }).href
    const { code, stderr } = await world.place.sluice(['demo'], { DATABASE_URL: url })
    await world.db.pool.query(`DROP ROLE ${role}`)
    expect(code).toBe(1)
    expect(stderr).toContain('GRANT CREATE ON DATABASE')
  })
})

test('what was made goes, too, when something fails', async () => {
  const before = proxy.seen.length
  let asked = 0
  const error = { type: 'illegal_argument_exception', reason: 'no more templates' }
  proxy.break('/_index_template', () => {
    asked += 1
    return asked > 1
      ? null
      : { kind: 'answer', status: 400, contentType: 'application/json', body: JSON.stringify({ error }) }
  })
  const { code, stdout } = await world.place.sluice(['demo', '--json'], { ELASTICSEARCH_URL: proxy.url })
  proxy.heal()
  expect(code).not.toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    error: { message: expect.stringContaining('no more templates') },
  })
  const alias = aliasIn(proxy.seen.slice(before).join(' '))
  expect(alias).toMatch(/^sluice-demo-/)
  expect([await schemas(), await remains(alias)]).toEqual(['', nothing])
})
