import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { RUN_HERE } from '../support/documented/elsewhere.ts'
import { type Workspace, workspace } from './cli-support.ts'

/**
 * Guides for operators, run as they are written, one after the other, in one world with a daemon: documents `city` (200 rows,
 * two tenants) and `country` (3 rows). To add a page, add its name.
 *
 * What is run, from top to bottom:
 * - Each line of an `sh` block that begins with `sluice` (up to a pipe). It has to end with exit code 0, or with N where a
 *   comment behind it says `exit code N`. `sluice run` is left out: the daemon is there.
 * - Each `sql` block.
 *
 * In both, `12` stands for the last run there is. A command with `--watch` is interrupted when it has said something.
 */
const PAGES = ['runs.md', 'schedules.md', 'verify.md', 'reindex.md']

const TABLES = `
  CREATE TABLE country (code text PRIMARY KEY, name text NOT NULL);
  INSERT INTO country VALUES ('ch', 'Switzerland'), ('np', 'Nepal'), ('us', 'United States');
  CREATE TABLE city (
    id bigint PRIMARY KEY, name text NOT NULL, tenant_id text NOT NULL, country_code text REFERENCES country,
    active boolean NOT NULL DEFAULT true, expires_at timestamptz, updated_at timestamptz NOT NULL DEFAULT now());
  INSERT INTO city SELECT n, 'city ' || n, 'tenant' || n % 2, 'np' FROM generate_series(1, 200) n;
  CREATE INDEX ON city (updated_at);
  CREATE INDEX ON city (tenant_id)`

const elasticsearch = testElasticsearch()
const config = {
  documents: {
    city: {
      table: 'city',
      index: `${elasticsearch.prefix}cities`,
      where: 'active',
      tenant: 'tenant_id',
      settings: { number_of_replicas: 0 },
    },
    country: {
      table: 'country',
      index: `${elasticsearch.prefix}countries`,
      settings: { number_of_replicas: 0 },
    },
  },
}

let database: TestDatabase
let place: Workspace

beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(TABLES)
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
  await place.write('sluice.config.json', JSON.stringify(config))
  const installed = await place.sluice(['install'])
  expect(installed.stderr + installed.stdout).toContain('Installed')
  const daemon = place.start(['run'])
  await eventually(
    async () => {
      const { rows } = await database.pool.query("SELECT FROM sluice.sync_run WHERE state <> 'done'")
      return rows.length === 0
    },
    { describe: daemon.output },
  )
})
afterAll(async () => {
  await place.remove()
  await elasticsearch.drop()
  await database.drop()
})

type Step = { readonly sql: string } | { readonly line: string; readonly code: number }

async function stepsOf(page: string): Promise<readonly Step[]> {
  const text = await readFile(join(import.meta.dirname, '../../docs', page), 'utf8')
  return [...text.matchAll(/```(sh|sql)\n([\s\S]*?)```/g)].flatMap(([, language, block = '']): Step[] => {
    if (language === 'sql') return [{ sql: block }]
    const lines = block.split('\n').filter((line) => RUN_HERE.test(line))
    return lines.map((line) => ({ line, code: Number(/#.*\bexit code (\d)/.exec(line)?.[1] ?? 0) }))
  })
}

/** The words of a command line, without a comment and what it is piped to. */
function wordsOf(line: string): string[] {
  const words: string[] = []
  for (const [word, double, single] of line.matchAll(/"([^"]*)"|'([^']*)'|\S+/g)) {
    if (word === '|' || word.startsWith('#')) break
    words.push(double ?? single ?? word)
  }
  return words.slice(1)
}

async function lastRun(): Promise<string> {
  const { rows } = await database.pool.query<{ id: string }>(
    'SELECT max(id)::text AS id FROM sluice.sync_run',
  )
  return rows[0]?.id ?? '12'
}

test.each(PAGES)('docs/%s does what it says', { timeout: 120_000 }, async (page) => {
  const steps = await stepsOf(page)
  expect(steps).not.toEqual([])
  for (const step of steps) {
    const run = await lastRun()
    if ('sql' in step) {
      await database.pool.query(step.sql.replaceAll(/\b12\b/g, run))
      continue
    }
    const words = wordsOf(step.line).map((word) => (word === '12' ? run : word))
    const started = place.start(words)
    if (words.includes('--watch')) {
      await eventually(() => started.output() !== '', { describe: started.output })
      started.process.kill('SIGINT')
    }
    const { code, stdout, stderr } = await started.ended
    expect({ line: step.line, code, said: stdout + stderr }).toMatchObject({ code: step.code })
  }
})

test('the schedules of docs/schedules.md can be installed', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/schedules.md'), 'utf8')
  const schedules = /```ts\n([\s\S]*?)```/.exec(page)?.[1]
  const city = JSON.stringify({ city: config.documents.city })
  await place.write('dry.config.mjs', `export default { documents: ${city}, ${schedules} }`)
  const { stdout, code } = await place.sluice(['install', '--dry-run', '--config', 'dry.config.mjs'])
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('schedule glance') })
})
