import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installedDocument } from '../../src/answers/installed.ts'
import { probeJson } from '../../src/answers/json/probe.ts'
import { duration } from '../../src/cli/format.ts'
import { type ProbeRequest, probe as probeHere } from '../../src/cli/probe/probe.ts'
import type { DocumentDefinition, Settings } from '../../src/config/types.ts'
import { Instance } from '../../src/runs/instance.ts'
import { eventually } from '../support/context.ts'
import { type Definitions, type InstallWorld, installWorld } from './install-world.ts'
import { type Gate, startGate } from './instances-world.ts'

/** What a probe says of each thing that keeps a mark, provoked on real servers; probe.test.ts has it as a command. */

let world: InstallWorld
let definitions: Definitions
const running: Instance[] = []
const gates: Gate[] = []

beforeAll(async () => {
  world = await installWorld()
  const { prefix } = world.server
  await sql(`
    CREATE TABLE item (id int PRIMARY KEY, name text);
    CREATE TABLE figure (id int PRIMARY KEY, value text);
    CREATE TABLE ware (id int PRIMARY KEY, shop text NOT NULL);
    CREATE TABLE stock (id int PRIMARY KEY, hidden boolean NOT NULL DEFAULT false)`)
  definitions = {
    item: { table: 'item', index: `${prefix}item`, fields: ['id', 'name'] },
    figure: {
      table: 'figure',
      index: `${prefix}figure`,
      mappings: { properties: { value: { type: 'integer' } } },
    },
    ware: { table: 'ware', index: `${prefix}ware-{tenant}`, tenant: 'shop' },
    stock: {
      table: 'stock',
      index: `${prefix}stock`,
      transform: (document) => (document.hidden === true ? null : document),
    },
  }
  await world.install(definitions, { backfill: false })
  await sql(`
    INSERT INTO item VALUES (1, 'one'), (2, 'two');
    INSERT INTO figure VALUES (1, '1'), (2, 'many');
    INSERT INTO ware VALUES (1, 'a'), (2, 'b');
    INSERT INTO stock SELECT n FROM generate_series(1, 1400) AS n`)
  start()
  await settled()
})
afterAll(async () => {
  await stopAll()
  await world.drop()
})

function sql(text: string) {
  return world.database.pool.query(text)
}

/** A daemon, through a proxy where `elasticsearch` says so. */
function start({
  elasticsearch = world.server.url,
  documents = definitions,
}: {
  elasticsearch?: string
  documents?: Definitions
} = {}): Instance {
  const settings: Settings = {
    postgres: world.database.url,
    elasticsearch: { url: elasticsearch },
    schema: world.schema,
    instance: `daemon ${running.length + 1}`,
    logLevel: 'silent',
    documents: new Map(Object.entries(documents)),
    file: 'sluice.config.ts',
    limits: {
      batchSize: 200,
      batchBytes: 1024 * 1024,
      concurrency: 1,
      pollingInterval: 20,
      maxRetries: 5,
      requestTimeout: 30_000,
      shutdownTimeout: 10_000,
      syncLogRetentionDays: 7,
    },
  }
  const instance = new Instance({ settings, log: pino({ level: 'silent' }) })
  running.push(instance)
  instance.start()
  return instance
}

async function gate(): Promise<Gate> {
  const opened = await startGate(world.server.url)
  gates.push(opened)
  return opened
}

async function stopAll(): Promise<void> {
  await Promise.all(gates.map((each) => each.open()))
  await Promise.all(running.splice(0).map((instance) => instance.stop()))
  await Promise.all(gates.splice(0).map((each) => each.close()))
}

/** Waits until no mark is left but those that are parked. */
async function settled(): Promise<void> {
  await eventually(
    async () => {
      expect(await world.value('SELECT count(*)::int FROM sluice.sync_queue WHERE lane < 2')).toBe(0)
      expect(await world.value('SELECT count(*)::int FROM sluice.sync_run WHERE finished_at IS NULL')).toBe(0)
    },
    { timeoutMs: 30_000 },
  )
}

async function probe(name: string, request: Partial<ProbeRequest> = {}, elasticsearch = world.elasticsearch) {
  const database = { pool: world.database.pool, schema: world.schema }
  const installed = await installedDocument(database, name)
  const asked = { id: undefined, touch: false, timeoutMs: 60_000, ...request }
  return probeJson.parse(await probeHere({ database, elasticsearch }, installed, asked))
}

/** Probes, each time briefly, until what it says is what it should. */
function says(name: string, request: Partial<ProbeRequest>, why: readonly unknown[]): Promise<void> {
  return eventually(
    async () => {
      const found = await probe(name, { timeoutMs: 500, ...request })
      expect(found).toMatchObject({ arrived: false, why })
    },
    { timeoutMs: 30_000 },
  )
}

async function indexOf(document: string, alias = ''): Promise<string> {
  return String(
    await world.value('SELECT name FROM sluice.sync_index WHERE document = $1 AND alias LIKE $2', [
      document,
      `%${alias}`,
    ]),
  )
}
const block = (index: string, blocked: boolean) =>
  world.server.request('PUT', `/${index}/_settings`, { 'index.blocks.write': blocked })

test('a dead letter: with its type and reason, and at once', async () => {
  const { legs, why, version } = await probe('figure', { id: '2' })
  expect(legs.map(({ name }) => name)).toEqual(['written', 'committed', 'claimed', 'acknowledged'])
  expect({ why, version }).toEqual({
    why: [
      'the mark was worked on, and nothing was written to Elasticsearch',
      expect.stringMatching(
        new RegExp(
          `^${await indexOf('figure')} is dead after \\d+ attempts: (document|mapper)_parsing_exception: .*value`,
        ),
      ),
    ],
    version: null,
  })
})

test('a transform that leaves the document out', async () => {
  await sql('INSERT INTO stock VALUES (5000, true)')
  const { why } = await probe('stock', { id: '5000' })
  expect(why).toEqual([
    expect.stringMatching(
      /^the mark was worked on, and nothing was written to Elasticsearch: transform left the document out, /,
    ),
  ])
})

test('an index that takes no writes, that of one tenant, and deletes that the brake holds back', async () => {
  const index = await indexOf('item')
  const ofTenant = await indexOf('ware', 'ware-a')
  await block(index, true)
  await block(ofTenant, true)
  await sql(`INSERT INTO item SELECT n, 'x' FROM generate_series(11, 60) AS n;
    UPDATE stock SET hidden = true WHERE id <= 1400`)
  const parked = await eventually(
    async () =>
      (await world.value(
        `SELECT keys[1] FROM sluice.sync_queue WHERE lane = 2 AND document = 'stock' LIMIT 1`,
      )) ?? null,
  )
  await says('stock', { id: String(parked) }, [
    'the mark was worked on, and nothing was written to Elasticsearch',
    'its key is parked, and waits for sluice resume',
    expect.stringMatching(
      /^stock has an alarm: .*mass-delete brake holds back .*sluice resume stock --deletes/,
    ),
  ])
  await says('ware', { id: '1' }, [
    'the mark was worked on, and nothing was written to Elasticsearch',
    `its key is parked, and waits for ${ofTenant}`,
    expect.stringMatching(new RegExp(`^sending ${ofTenant} is paused: .*block`)),
  ])
  await says('item', { id: '1' }, [
    'no daemon claimed the mark within 500 ms; it waits in the queue, and does no harm there',
    expect.stringMatching(/^\d+ keys of item wait$/),
    expect.stringMatching(new RegExp(`^sending all of item is paused: .*${index}.* blocked by`)),
  ])
  // What is not kept comes through.
  await sql('UPDATE stock SET hidden = false WHERE id = 1')
  expect(await probe('stock', { id: '1' })).toMatchObject({ arrived: true, why: [] })
  expect(await probe('ware', { id: '2' })).toMatchObject({ arrived: true, why: [] })
  // A daemon that begins tries at once what another had put off.
  await stopAll()
  await block(index, false)
  await block(ofTenant, false)
  start()
  await settled()
})

test('detached: nothing is sent', async () => {
  await sql(`SELECT sluice.detach('figure')`)
  const { legs, why, triggers } = await probe('figure', { id: '1' })
  expect({ legs, triggers }).toEqual({ legs: [], triggers: null })
  expect(why.slice(0, 2)).toEqual(['nothing was sent', expect.stringMatching(/^figure is detached: /)])
})

test('a batch that cannot be settled: searchable, and not acknowledged', async () => {
  const client = await world.database.pool.connect()
  try {
    // Each longer, for a slow machine.
    for (const timeoutMs of [2_000, 10_000, 50_000]) {
      await client.query(`BEGIN; SELECT sluice.lock_failures('item')`)
      const { why } = await probe('item', { id: '1', timeoutMs })
      await client.query('ROLLBACK')
      await settled()
      if (/^no daemon claimed|^a daemon claimed|did not show/.test(why[0] ?? '') && timeoutMs < 50_000)
        continue
      expect(why).toEqual([
        `the document is searchable, and its batch was not acknowledged within ${duration(timeoutMs)}`,
      ])
      break
    }
  } finally {
    client.release(true)
  }
})

test('a daemon that waits for a server, and one that has another definition', async () => {
  await stopAll()
  start({ elasticsearch: 'http://127.0.0.1:1' })
  await says('item', { id: '1' }, [
    expect.stringMatching(/^no daemon claimed the mark/),
    expect.stringMatching(/^\d+ keys of item wait$/),
    expect.stringMatching(/^daemon daemon 1 waits: .*127\.0\.0\.1:1/),
  ])
  await stopAll()
  const { item, ...others } = definitions
  if (item === undefined) throw new Error('there is no item')
  const other: DocumentDefinition = { ...item, fields: ['id'] }
  start({ documents: { ...others, item: other } })
  await says('item', { id: '1' }, [
    'nothing was sent',
    'no daemon works on item: those that are alive have another definition of it, or none (sluice status)',
    expect.stringMatching(/^sending all of item is paused: its definition differs from the installed one/),
  ])
})

test('a request that is not answered: claimed, and no more', async () => {
  await stopAll()
  const held = await gate()
  start({ elasticsearch: held.url })
  await settled()
  held.shut()
  await says('item', { id: '1' }, [
    'a daemon claimed the mark, and Elasticsearch did not have the document within 500 ms',
  ])
})

test("another batch's document of the same key is not taken for the probe's", async () => {
  await stopAll()
  const [first, second] = [await gate(), await gate()]
  start({ elasticsearch: first.url })
  await settled()
  first.shut()
  await sql(`UPDATE item SET name = 'first' WHERE id = 1`)
  await eventually(() => expect(first.held).toBe(1))
  start({ elasticsearch: second.url })
  second.shut()
  let looks = 0
  const counted: typeof world.elasticsearch = {
    ...world.elasticsearch,
    get: (...asked) => {
      looks += 1
      return world.elasticsearch.get(...asked)
    },
  }
  const probing = probe('item', { id: '1' }, counted)
  await eventually(() => expect(second.held).toBe(1))
  await first.open()
  const { version: firsts } = await world.elasticsearch.get(await indexOf('item'), '1')
  const seen = looks
  await eventually(() => expect(looks).toBeGreaterThan(seen + 2))
  await second.open()
  const { arrived, version } = await probing
  expect(arrived).toBe(true)
  expect(BigInt(version ?? 0)).toBeGreaterThan(BigInt(firsts ?? 0))
})
