import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

/** docs/library.md and docs/read-your-writes.md, run as they are written. */

const execute = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const page = (name: string) => readFile(join(root, 'docs', name), 'utf8')
const blocks = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block = '']) => block)

const elasticsearch = testElasticsearch()
let database: TestDatabase
let place: Workspace
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(`
    CREATE TABLE product (id serial PRIMARY KEY, name text);
    INSERT INTO product (name) SELECT 'product ' || n FROM generate_series(1, 120) n`)
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
})
afterAll(async () => {
  await place.remove()
  await elasticsearch.drop()
  await database.drop()
})

/** A page's TypeScript blocks, one after the other, as one program. */
async function run(
  name: string,
  { before = '', after }: { before?: string; after: string },
): Promise<string> {
  const program = [before, ...blocks(await page(name), 'ts'), after]
    .join('\n')
    .replaceAll("from 'sluice'", `from '${join(root, 'src/index.ts')}'`)
    .replaceAll("index: '", `index: '${elasticsearch.prefix}`)
  await place.write(`${name}.ts`, program)
  const { stdout, stderr } = await execute(process.execPath, [`${name}.ts`], {
    cwd: place.folder,
    env: { ...process.env, DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url },
  })
  return stdout + stderr
}

test('the examples of both pages run', async () => {
  const connected = `
    import pg from '${join(root, 'node_modules/pg/esm/index.mjs')}'
    const app = new pg.Pool({ connectionString: process.env.DATABASE_URL })`
  const library = await run('library.md', {
    after: `console.log('documents', documents.length, 'processed', report.processed)`,
  })
  expect(library).toContain('documents 1 processed 100')
  expect(library).toContain('product 100 0')

  await place.write(
    'sluice.config.json',
    JSON.stringify({
      documents: { product: { table: 'product', index: `${elasticsearch.prefix}products` } },
    }),
  )
  const daemon = place.start(['run'], { ADMIN_PORT: 'off' })
  const after = `console.log('dead', dead.length); await sluice.stop(); await app.end()`
  const waited = await run('read-your-writes.md', { before: connected, after })
  expect(waited).toContain('dead 0')

  // Its SQL: statements one by one, with the token that sync_token() gave.
  const [statements = '', grants = ''] = blocks(await page('read-your-writes.md'), 'sql')
  let token = ''
  for (const statement of statements.split('\n').filter((line) => line !== '')) {
    const { rows } = await database.pool.query<Record<string, unknown>>(statement.replace('…token…', token))
    if (typeof rows[0]?.sync_token === 'string') token = rows[0].sync_token
  }
  expect(token).not.toBe('')
  const role = `app_${database.url.split('_').at(-1)}`
  await database.pool.query(`CREATE ROLE ${role}; ${grants.replaceAll('TO app', `TO ${role}`)}`)
  await database.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  daemon.process.kill('SIGTERM')
  expect((await daemon.ended).code).toBe(0)
})
