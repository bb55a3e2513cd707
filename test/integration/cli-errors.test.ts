import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorJson } from '../../src/answers/json/error.ts'
import { type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

let database: TestDatabase
let place: Workspace
const elasticsearch = testElasticsearch()

beforeAll(async () => {
  database = await testDatabase()
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
  await database.pool.query('CREATE TABLE city (id bigint PRIMARY KEY, name text)')
  await place.write(
    'sluice.config.mjs',
    `export default { documents: { city: { table: 'city', index: '${elasticsearch.prefix}city' } } }`,
  )
  expect((await place.sluice(['install'])).code).toBe(0)
})
afterAll(async () => {
  await place.remove()
  await elasticsearch.drop()
  await database.drop()
})

function changed(url: string, changes: Partial<URL>): string {
  return Object.assign(new URL(url), changes).href
}

describe('Postgres', () => {
  it('a wrong password: exit code 4, and the password is not printed', async () => {
    const url = changed(database.url, { password: 'wrong-secret' })
    const { code, stdout, stderr } = await place.sluice(['status'], { DATABASE_URL: url })
    expect(code).toBe(4)
    expect(stdout).toBe('')
    expect(stderr).toMatch(
      /^error: 127\.0\.0\.1:\d+\/\w+: Postgres refuses the connection: password authentication failed/,
    )
    expect(stderr).toContain('→ Check user, password and database in DATABASE_URL.')
    expect(stderr).not.toContain('wrong-secret')
  })

  it('a database that is not there: exit code 4', async () => {
    const { code, stderr } = await place.sluice(['status'], {
      DATABASE_URL: changed(database.url, { pathname: '/nowhere' }),
    })
    expect(code).toBe(4)
    expect(stderr).toContain('database "nowhere" does not exist')
  })

  it.each([
    'init --stdout',
    'migrate',
    'status',
    'pause city',
    'enqueue city 1',
    'preview city 1',
    'inspect city 1',
  ])('%s without a server: exit code 4', async (line) => {
    const { code, stderr } = await place.sluice(line.split(' '), {
      DATABASE_URL: 'postgres://me@127.0.0.1:1/x',
    })
    expect(stderr).toMatch(/^error: 127\.0\.0\.1:1\/x: Postgres does not answer: connect ECONNREFUSED/)
    expect(code).toBe(4)
  })

  it('without our schema: exit code 2, and what to run', async () => {
    const { code, stderr } = await place.sluice(['status'], { SLUICE_SCHEMA: 'elsewhere' })
    expect(stderr).toBe(
      'error: schema "elsewhere": it is not there yet\n  → Run sluice migrate (sluice install does, too).\n',
    )
    expect(code).toBe(2)
  })

  it('with a schema of a newer sluice: exit code 2, and nothing is changed', async () => {
    await place.sluice(['migrate'], { SLUICE_SCHEMA: 'newer' })
    await database.pool.query(`INSERT INTO newer.sync_migration (name, run_on) VALUES ('9999_future', now())`)
    for (const command of ['status', 'migrate']) {
      const { code, stderr } = await place.sluice([command], { SLUICE_SCHEMA: 'newer' })
      expect(stderr).toContain('9999_future')
      expect(stderr).toContain('Upgrade sluice')
      expect(code).toBe(2)
    }
  })

  it('with a schema of a newer sluice, the daemon ends and logs why', async () => {
    await place.sluice(['migrate'], { SLUICE_SCHEMA: 'newer' })
    await database.pool.query(
      `INSERT INTO newer.sync_migration (name, run_on) VALUES ('9999_future', now()) ON CONFLICT DO NOTHING`,
    )
    await place.write('newer.json', '{ "documents": {} }')
    const { code, stdout, stderr } = await place.sluice(['run', '--config', 'newer.json'], {
      SLUICE_SCHEMA: 'newer',
    })
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 60, reason: expect.stringContaining('9999_future') }),
    )
    expect(stderr).toContain('Upgrade sluice')
    expect(code).toBe(2)
  })
})

describe('Elasticsearch', () => {
  it('does not answer: exit code 4', async () => {
    const { code, stderr } = await place.sluice(['inspect', 'city', '1'], {
      ELASTICSEARCH_URL: 'http://127.0.0.1:1',
    })
    expect(stderr).toContain('127.0.0.1:1: connect ECONNREFUSED')
    expect(code).toBe(4)
  })

  it('is something else: exit code 4', async () => {
    const server = createServer((_request, response) => response.end('<h1>hello</h1>'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const { code, stderr } = await place.sluice(['inspect', 'city', '1'], {
        ELASTICSEARCH_URL: `http://127.0.0.1:${port}`,
      })
      expect(stderr).toContain(`Elasticsearch at 127.0.0.1:${port}`)
      expect(code).toBe(4)
    } finally {
      server.close()
    }
  })

  it('is not spoken to in TLS where it speaks none, and says so in words', async () => {
    const server = createServer((_request, response) => response.end('{}'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const { code, stderr } = await place.sluice(['inspect', 'city', '1'], {
        ELASTICSEARCH_URL: `https://127.0.0.1:${port}`,
      })
      expect(stderr.split('\n')).toEqual([
        `error: Elasticsearch at 127.0.0.1:${port}: no secure connection to 127.0.0.1:${port}: wrong version number`,
        expect.stringContaining('→ check the scheme of ELASTICSEARCH_URL'),
        '',
      ])
      expect(code).toBe(4)
    } finally {
      server.close()
    }
  })

  it('is not asked by what does not need it', async () => {
    const { code } = await place.sluice(['status'], { ELASTICSEARCH_URL: 'http://127.0.0.1:1' })
    expect(code).toBe(0)
  })
})

describe('wrong usage and configuration: exit code 2', () => {
  it.each([
    ['nonsense', "error: unknown command 'nonsense'"],
    ['status --wach', "error: unknown option '--wach'\n(Did you mean --watch?)"],
    ['pause', "error: missing required argument 'document'"],
    ['pause city town', 'error: too many arguments'],
    ['status --config nowhere.json', 'error: --config: there is no such file'],
    [
      'status --database-url mysql://x',
      'error: --database-url: got mysql://x, expected a URL such as postgres://',
    ],
    ['status --watch --json', ''],
    ['pause town', 'error: no document "town" is installed\n  → Installed are: city.'],
    ['resume ctiy', 'error: no document "ctiy" is installed (did you mean "city"?)'],
    ['enqueue town 1', 'error: no document "town" is installed'],
    ['inspect town 1', 'error: no document "town" is installed'],
    ['preview twon 1', 'error: there is no document "twon"\n  → There are: city.'],
    ['enqueue city one', 'error: not an _id of city: invalid input syntax for type bigint: "one"'],
    ['inspect city 1.5', 'error: not an _id of city: invalid input syntax for type bigint: "1.5"'],
  ])('%s', async (line, message) => {
    const { code, stderr } = await place.sluice(line.split(' '))
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  it('no command: the help, on standard error', async () => {
    const { code, stdout, stderr } = await place.sluice([])
    expect(stdout).toBe('')
    expect(stderr).toContain('Usage: sluice')
    expect(code).toBe(2)
  })

  it('a bad value in the environment', async () => {
    const { code, stderr } = await place.sluice(['status'], { BATCH_SIZE: 'many', LOG_LEVEL: 'loud' })
    expect(stderr).toContain('2 problems in the settings')
    expect(stderr).toContain(
      'BATCH_SIZE: got "many", expected a whole number of keys from 1 to 100000 (default 1000)',
    )
    expect(stderr).toContain('LOG_LEVEL: got "loud"')
    expect(code).toBe(2)
  })

  it('no server named', async () => {
    const { code, stderr } = await place.sluice(['status'], { DATABASE_URL: '' })
    expect(stderr).toContain('DATABASE_URL: is missing, expected a URL such as postgres://')
    expect(code).toBe(2)
  })

  it('no configuration, where one is needed', async () => {
    const bare = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
    try {
      const { code, stderr } = await bare.sluice(['run'])
      expect(stderr).toContain('there is no sluice.config.ts')
      expect(stderr).toContain('→ sluice init proposes one')
      expect(code).toBe(2)
    } finally {
      await bare.remove()
    }
  })
})

describe('with --json', () => {
  it.each([
    [['nonsense'], {}, 2, 'usage'],
    [[], {}, 2, 'usage'],
    [['pause'], {}, 2, 'usage'],
    [['pause', 'town'], {}, 2, 'usage'],
    [['status'], { BATCH_SIZE: 'x' }, 2, 'config'],
    [['status'], { SLUICE_SCHEMA: 'elsewhere' }, 2, 'schema'],
    [['status'], { DATABASE_URL: 'postgres://me@127.0.0.1:1/x' }, 4, 'unreachable'],
  ] as const)('an error of %j with %j is the one document', async (args, env, code, kind) => {
    const answer = await place.json(args, env)
    expect(errorJson.parse(answer.value).error.code).toBe(kind)
    expect(answer.code).toBe(code)
  })
})
