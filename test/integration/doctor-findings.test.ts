import { pino } from 'pino'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { curlFor } from '../../src/cli/doctor/curl.ts'
import { diagnose } from '../../src/cli/doctor/diagnose.ts'
import { examine } from '../../src/cli/doctor/examine.ts'
import type { DoctorFinding } from '../../src/cli/doctor/finding.ts'
import type { Settings } from '../../src/config/types.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { Instance } from '../../src/runs/instance.ts'
import { eventually } from '../support/context.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { limitsOf, withoutOthers } from './doctor-world.ts'
import { type Definitions, type InstallWorld, installWorld } from './install-world.ts'

/** Findings of `doctor` that need no process of their own; doctor.test.ts has the command, doctor-by-hand.test.ts its remedies. */

let world: InstallWorld
let definitions: Definitions

beforeAll(async () => {
  world = await installWorld()
  const { prefix } = world.server
  await sql(`
    CREATE TABLE item (id int PRIMARY KEY, name text);
    CREATE TABLE figure (id int PRIMARY KEY, value text);
    CREATE TABLE ware (id int PRIMARY KEY, shop text NOT NULL);
    CREATE TABLE late (id int PRIMARY KEY, due timestamptz)`)
  definitions = {
    item: { table: 'item', index: `${prefix}item` },
    figure: {
      table: 'figure',
      index: `${prefix}figure`,
      mappings: { properties: { value: { type: 'integer' } } },
      transform: (document) => {
        if (document.value === 'throw') throw new Error('it does')
        return document
      },
    },
    ware: { table: 'ware', index: `${prefix}ware-{tenant}`, tenant: 'shop' },
  }
  await world.install(definitions, { backfill: false })
})
afterAll(() => world.drop())

function sql(text: string) {
  return world.database.pool.query(text)
}

function settingsOf(documents: Definitions, postgres = world.database.url): Settings {
  return {
    postgres,
    elasticsearch: { url: world.server.url },
    schema: world.schema,
    instance: 'doctor',
    logLevel: 'silent',
    documents: new Map(Object.entries(documents)),
    file: 'sluice.config.ts',
    limits: limitsOf(),
  }
}

/** All but that no daemon works on a document: where a test starts none, nobody does. */
async function findings({
  documents = definitions,
  postgres,
  elasticsearch = world.elasticsearch,
}: {
  readonly documents?: Definitions
  readonly postgres?: string
  readonly elasticsearch?: Elasticsearch
} = {}): Promise<readonly DoctorFinding[]> {
  const settings = settingsOf(documents, postgres)
  const examined = await examine(world.database.pool, elasticsearch, settings, new Map())
  const curl = curlFor({ url: world.server.url })
  return withoutOthers(diagnose(examined, curl, new Date())).filter(({ name }) => name !== 'no_worker')
}

/** Name, document and severity of each. */
function told(found: readonly DoctorFinding[]) {
  return found.map(({ name, document, severity }) => `${severity} ${name}${document ? ` ${document}` : ''}`)
}

async function indexOf(alias: string): Promise<string> {
  return String(
    await world.value('SELECT name FROM sluice.sync_index WHERE alias = $1', [
      `${world.server.prefix}${alias}`,
    ]),
  )
}

test('nothing, where nothing is wrong', async () => {
  expect(await findings()).toEqual([])
})

test('what the configuration has not, what it cannot become by itself, and a condition that time changes', async () => {
  const { item, figure, ware } = definitions
  if (item === undefined || figure === undefined || ware === undefined) throw new Error('no definitions')
  expect(told(await findings({ documents: { item, figure } }))).toEqual(['error not_configured ware'])
  const other = { ...item, mappings: { properties: { name: { type: 'integer' } } } }
  const found = await findings({ documents: { ...definitions, item: other } })
  expect(found).toContainEqual(
    expect.objectContaining({
      name: 'reindex_needed',
      severity: 'error',
      document: 'item',
      remedy: 'sluice reindex item',
    }),
  )
  const late = { table: 'late', index: `${world.server.prefix}late`, where: 'due < now()' }
  expect(told(await findings({ documents: { ...definitions, late } }))).toContain('warning plan_warning late')
})

test('an alias that somebody moved, and one that points to an index that the database does not know', async () => {
  const index = await indexOf('item')
  const alias = `${world.server.prefix}item`
  const other = `${alias}-29991231000000-abcdef`
  const mappings = await world.elasticsearch.getMappings(index)
  const { _meta: _, ...foreign } = mappings
  const move = (actions: readonly object[]) => world.server.request('POST', '/_aliases', { actions })
  const [add, remove] = [{ add: { index: other, alias } }, { remove: { index, alias } }]
  // Of somebody else, and then of sluice.
  for (const [made, name] of [
    [foreign, 'alias_moved'],
    [mappings, 'alias_unknown'],
  ] as const) {
    expect(await world.server.createIndex(other, { mappings: made })).toMatchObject({ acknowledged: true })
    await move([add, remove])
    expect(await findings()).toContainEqual(
      expect.objectContaining({
        name,
        severity: 'error',
        document: 'item',
        evidence: expect.stringContaining(`${alias} points to ${other}`),
      }),
    )
    await move([{ add: { index, alias } }])
    await world.server.request('DELETE', `/${other}`)
  }
  expect(await findings()).toEqual([])
})

test('an index that lacks a field', async () => {
  const index = await indexOf('item')
  const { properties, ...others } = await world.elasticsearch.getMappings(index)
  const settings = { 'index.gc_deletes': '1h', 'index.number_of_replicas': 0 }
  const { name: _, ...left } = properties as Readonly<Record<string, object>>
  const alias = `${world.server.prefix}item`
  const replace = async (kept: object) => {
    await world.server.request('DELETE', `/${index}`)
    const made = { mappings: { ...others, properties: kept }, settings, aliases: { [alias]: {} } }
    expect(await world.server.createIndex(index, made)).toMatchObject({ acknowledged: true })
    await sql(
      `UPDATE sluice.sync_index SET uuid = '${await world.elasticsearch.indexUuid(index)}' WHERE name = '${index}'`,
    )
  }
  await replace(left)
  expect(await findings()).toEqual([
    expect.objectContaining({
      name: 'mapping_missing',
      severity: 'error',
      document: 'item',
      evidence: expect.stringContaining('name'),
      remedy: expect.stringContaining(`/${index}/_mapping`),
    }),
  ])
  await replace({ ...Object(properties) })
  expect(await findings()).toEqual([])
})

test('a daemon that is gone, whose role lacks grants and may not read the tables; a schema that is open', async () => {
  const role = `doctor_${(await indexOf('item')).slice(-6)}`
  await sql(`
    CREATE ROLE ${role} LOGIN;
    GRANT CREATE ON SCHEMA public TO PUBLIC;
    INSERT INTO sluice.sync_worker (instance, host, pid, version, role, state, seen_at)
    VALUES ('other', 'there', 1, '0', '${role}', 'running', clock_timestamp() - interval '1 minute')`)
  const gone = await findings()
  // The same, alive: its role is what is read with.
  await sql(`UPDATE sluice.sync_worker SET seen_at = clock_timestamp() + interval '1 hour'`)
  const alive = await findings()
  await sql(`
    DELETE FROM sluice.sync_worker; DROP ROLE ${role}; REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
  expect(told(gone)).toEqual(
    expect.arrayContaining(['warning worker_vanished', 'error grant_missing', 'warning open_schema']),
  )
  expect(gone.find(({ name }) => name === 'grant_missing')).toMatchObject({
    evidence: expect.stringContaining('DELETE on sluice.sync_queue'),
    remedy: 'sluice migrate --roles',
  })
  expect(told(alive)).toContain('error reading_role item')
  expect(told(alive)).not.toContain('warning worker_vanished')
  expect(await findings()).toEqual([])
})

test('disks that may not be looked at, and a server that need not prove who it is', async () => {
  const proxy = await startFaultProxy(inject('elasticsearchUrl'))
  const elasticsearch = connectElasticsearch({ url: proxy.url }, { requestTimeoutMs: 20_000 })
  try {
    const error = {
      type: 'security_exception',
      reason: 'action [cluster:monitor/nodes/stats] is unauthorized',
    }
    proxy.break('/_nodes/stats', {
      kind: 'answer',
      status: 403,
      body: JSON.stringify({ error, status: 403 }),
    })
    const postgres = `${world.database.url}?sslmode=no-verify`
    const found = await findings({ elasticsearch, postgres })
    expect(told(found)).toEqual(['warning not_examined', 'note certificate_unverified'])
    expect(found[0]?.evidence).toMatch(/^the disks of .*unauthorized/)
  } finally {
    await elasticsearch.close()
    await proxy.close()
  }
})

test('what a daemon meets: failures, dead letters, an index that takes no writes', async () => {
  const daemon = new Instance({ settings: settingsOf(definitions), log: pino({ level: 'silent' }) })
  daemon.start()
  try {
    await sql(`INSERT INTO ware VALUES (1, 'a'), (2, 'b')`)
    await eventually(async () =>
      expect(await world.value('SELECT count(*)::int FROM sluice.sync_queue')).toBe(0),
    )
    const index = await indexOf('ware-a')
    const block = (blocked: boolean) =>
      world.server.request('PUT', `/${index}/_settings`, { 'index.blocks.write': blocked })
    await block(true)
    await sql(`
      INSERT INTO figure VALUES (1, 'many'), (2, 'throw'); UPDATE ware SET id = id`)
    const wanted = [
      'error dead_letters figure',
      'error index_blocked ware',
      'error sending_paused ware',
      'error index_read_only ware',
      'warning retrying figure',
    ]
    await eventually(async () => expect(new Set(told(await findings()))).toEqual(new Set(wanted)))
  } finally {
    await daemon.stop()
  }
  await sql(`SELECT sluice.detach('figure')`)
  expect(told(await findings())).toContain('error document_detached figure')
})
