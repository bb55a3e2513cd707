import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { packed } from '../support/packed.ts'

/** docs/first-sync.md, as a new user would follow it: from the tarball to a document that a search finds. */

const repository = join(import.meta.dirname, '../..')
const search = testElasticsearch()
// Its name is the index's, which other tests must not have.
const table = `${search.prefix.replace('-', '')}_product`

let database: TestDatabase
let folder: string
let tarball: string
let daemon = 0
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(
    `CREATE TABLE ${table} (id int PRIMARY KEY, name text); INSERT INTO ${table} VALUES (1, 'Kettle')`,
  )
  folder = await mkdtemp(join(tmpdir(), 'sluice-first-sync-'))
  ;({ tarball } = await packed(folder))
  await mkdir(join(folder, 'project'))
}, 300_000)
afterAll(async () => {
  if (daemon > 0) process.kill(daemon, 'SIGKILL')
  await rm(folder, { recursive: true })
  await search.request('DELETE', `/${table}-*?expand_wildcards=all&ignore_unavailable=true`)
  await search.request('DELETE', `/_index_template/sluice-${table}`)
  await database.drop()
})

test('six commands lead to the first document', { timeout: 300_000 }, async () => {
  const page = await readFile(join(repository, 'docs/first-sync.md'), 'utf8')
  const [, block = ''] = /```sh\n([^`]*)```/.exec(page) ?? []
  const commands = block.trim().split('\n')
  expect(commands).toHaveLength(6)
  const script = commands
    .slice(0, -1)
    .join('\n')
    .replace(/\.\/sluice-\S+\.tgz/, tarball)
    .replace(/postgres:\/\/\S+/, database.url)
    .replace(/http:\/\/localhost:9200/, search.url.replace(/\/$/, ''))
    // npx would hand no signal on; the file that it starts is this.
    .replace('npx sluice run &', 'exec node_modules/.bin/sluice run')
  const child = spawn('bash', ['-ec', script], {
    cwd: join(folder, 'project'),
    env: {
      // With what says where npm finds its registry.
      ...process.env,
      PATH: `${join(repository, 'node_modules/.bin')}:${process.env.PATH}`,
      ADMIN_PORT: 'off',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  daemon = child.pid ?? 0
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const query = `/${table}/_search?q=*`
  expect(commands.at(-1)).toContain('/product/_search?q=*')
  await eventually(
    async () =>
      expect(await search.request('GET', query)).toMatchObject({
        hits: { hits: [{ _id: '1', _source: { id: 1, name: 'Kettle' } }] },
      }),
    { timeoutMs: 240_000, describe: () => output },
  )
  await database.pool.query(`UPDATE ${table} SET name = 'Samovar' WHERE id = 1`)
  await eventually(async () =>
    expect(await search.request('GET', query)).toMatchObject({
      hits: { hits: [{ _source: { name: 'Samovar' } }] },
    }),
  )
  child.kill('SIGTERM')
  await eventually(() => child.exitCode !== null || child.signalCode !== null)
  daemon = 0
  expect(child.exitCode).toBe(0)
})
