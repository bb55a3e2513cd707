import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import type { Limits } from '../../src/config/types.ts'
import { FailedError } from '../../src/errors.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { type Comparison, compare } from '../support/compare.ts'
import {
  type PostgresServer,
  type Server,
  startElasticsearch,
  startPostgres,
} from '../support/servers/index.ts'
import { type InstalledProgram, installProgram } from './installed-program.ts'
import { articles } from './steady-writes.ts'
import { describeState, drained } from './verdict.ts'

export interface ArticlesOptions {
  /** Begins the names of indices and of the folder of logs. */
  readonly name: string
  readonly say: (text: string) => void
  /** Takes whatever has to end. */
  readonly closing: AsyncDisposableStack
  readonly daemons: number
  /** How many documents are made of each article, each in an index of its own; default 1. */
  readonly documents?: number
  readonly limits?: Partial<Limits>
  /** What sluice is given for the address of Elasticsearch; default: the server itself. */
  readonly before?: (elasticsearch: string) => Promise<string>
  /** Directory whose `src/` is the program, which is built; default: this project. */
  readonly program?: string
  /** Environments of Postgres and of the daemons, beside their own. */
  readonly environments?: Readonly<Record<'postgres' | 'daemons', Readonly<Record<string, string>>>>
}

/** An application's table of articles (steady-writes.ts), sluice as its users run it, and servers of its own. */
export interface ArticlesWorld extends InstalledProgram {
  readonly postgres: PostgresServer
  readonly elasticsearch: Server
  readonly pool: pg.Pool
  /** Folder with the configuration and the daemons' logs. */
  readonly logs: string
  /** Whatever sync_failed ever held: a success erases its rows. */
  chargedEver(): Promise<Charged>
  /** Waits until nothing is left to do; false when that does not come. */
  drained(): Promise<boolean>
  /** Compares every article with its documents, sums over the indices. */
  compareAll(): Promise<Comparison>
  /** Ends the daemons. With problems, prints them with the state of the queue and keeps the logs; else removes those. */
  end(problems: readonly string[]): Promise<void>
}

export interface Charged {
  readonly count: number
  /** Those that were dead at some time. */
  readonly dead: number
  readonly examples: readonly string[]
}

/** How long the first backfill of a document may take, on a machine that is busy with ten other things. */
const BACKFILL_MS = 240_000

/** Starts it all; resolves when the daemons have done the first backfill. */
export async function openArticles(options: ArticlesOptions): Promise<ArticlesWorld> {
  const { name, say, closing, environments } = options
  const logs = await mkdtemp(join(tmpdir(), `sluice-${name}-`))
  say(`logs in ${logs}`)
  const [postgres, elasticsearch] = await Promise.all([
    startPostgres({ env: environments?.postgres ?? {} }),
    startElasticsearch({ heap: '512m' }),
  ])
  closing.defer(() => postgres.stop())
  closing.defer(() => elasticsearch.stop())
  const pool = createPool(postgres.url, { max: 2, applicationName: `${name} drill` })
  closing.defer(() => pool.end())
  await pool.query(articles)

  const address = (await options.before?.(elasticsearch.url)) ?? elasticsearch.url
  const names = documentsOf(name, options.documents ?? 1)
  const config = join(logs, 'sluice.config.json')
  const documents = Object.fromEntries(
    names.map(({ document, index }) => [document, { table: 'article', index }]),
  )
  const connection = { postgres: postgres.url, elasticsearch: address }
  await writeFile(config, JSON.stringify({ connection, limits: options.limits ?? {}, documents }, null, 2))
  const installed = await installProgram({
    ...{ program: options.program, config, logs, daemons: options.daemons, closing },
    environment: environments?.daemons,
  })
  await pool.query(everCharged)
  installed.daemons.startAll()
  const servers = { pool, elasticsearch: elasticsearch.url, say }
  if (!(await drained({ ...servers, patienceMs: BACKFILL_MS * names.length }))) {
    throw new FailedError('the first backfill does not end', { where: `logs of the daemons: ${logs}` })
  }
  return {
    postgres,
    elasticsearch,
    pool,
    logs,
    ...installed,
    chargedEver: () => chargedEver(pool),
    drained: () => drained(servers),
    compareAll: () => compareAll(pool, elasticsearch.url, names),
    end: async (problems) => {
      for (const problem of problems) process.stderr.write(`${problem}\n`)
      if (problems.length > 0)
        process.stderr.write(`${await describeState(pool)}\nlogs of the daemons: ${logs}\n`)
      await installed.daemons.end()
      if (problems.length === 0) await rm(logs, { recursive: true })
    },
  }
}

interface Name {
  readonly document: string
  readonly index: string
}

function documentsOf(name: string, count: number): readonly Name[] {
  if (count === 1) return [{ document: 'article', index: `${name}-articles` }]
  return Array.from({ length: count }, (_, n) => ({
    document: `article_${n + 1}`,
    index: `${name}-articles-${n + 1}`,
  }))
}

const truth = `
  SELECT id::text, json_build_object('id', id, 'title', title, 'body', body, 'stock', stock) AS document
    FROM article ORDER BY id`

/** A success erases a row of sync_failed: what was ever there has to be kept elsewhere. */
const everCharged = `
  CREATE TABLE charged (document text, key text, attempts int, state text, type text, reason text);
  CREATE FUNCTION charge() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO public.charged VALUES (new.document, new.key, new.attempts, new.state, new.type, new.reason);
      RETURN NULL;
    END $$;
  CREATE TRIGGER charge AFTER INSERT OR UPDATE ON sluice.sync_failed FOR EACH ROW EXECUTE FUNCTION charge()`

async function chargedEver(pool: pg.Pool): Promise<Charged> {
  const { rows } = await pool.query<{ count: number; dead: number }>(
    "SELECT count(*)::integer AS count, count(*) FILTER (WHERE state = 'dead')::integer AS dead FROM charged",
  )
  const some = await pool.query("SELECT * FROM charged ORDER BY state = 'dead' DESC LIMIT 10")
  const examples = some.rows.map((row) => `charged: ${JSON.stringify(row)}`)
  return { count: 0, dead: 0, ...rows[0], examples }
}

async function compareAll(pool: pg.Pool, elasticsearch: string, names: readonly Name[]): Promise<Comparison> {
  const sum = { documents: 0, missing: 0, stale: 0, extra: 0, examples: [] as string[] }
  for (const { document, index } of names) {
    const found = await compare({ pool, elasticsearch, index, truth })
    for (const count of ['documents', 'missing', 'stale', 'extra'] as const) sum[count] += found[count]
    sum.examples.push(...found.examples.map((example) => `${document}: ${example}`))
  }
  return sum
}
