import type { z } from 'zod'
import { statusJson } from '../../src/answers/json/status.ts'
import { readStatus } from '../../src/answers/read-status.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { compare } from '../support/compare.ts'
import {
  eventually,
  type TestDatabase,
  type TestElasticsearch,
  testDatabase,
  testElasticsearch,
} from '../support/context.ts'
import { type Started, type Workspace, workspace } from './cli-support.ts'

type Status = z.infer<typeof statusJson>

/** Two installed documents, and sluice as its users have it: a daemon that is a process, and `sluice status` beside it. */
export interface OutagesWorld {
  readonly database: TestDatabase
  readonly search: TestElasticsearch
  readonly place: Workspace
  /** Aliases. */
  readonly indices: Readonly<Record<Name, string>>
  /** Starts `sluice run` and waits until it works on both documents. */
  run(env?: Readonly<Record<string, string>>): Promise<Started>
  /** What `sluice status` reads, without a process for each look: tests wait for it. */
  status(): Promise<Status>
  /** The only daemon's row of it. */
  worker(): Promise<Status['workers'][number]>
  /** Writes a row, as the application does. */
  write(table: Name, id: number, name: string): Promise<void>
  /** Waits until a document has this name. */
  arrives(document: Name, id: number, name: string): Promise<void>
  /** Waits until nothing is left to do; then every row has its document, and no document was ever charged an attempt. */
  recovers(): Promise<void>
  /** Rows that sync_failed has ever held: more than it holds, for a success erases them. */
  charged(): Promise<readonly unknown[]>
  drop(): Promise<void>
}

const names = ['item', 'other'] as const
export type Name = (typeof names)[number]

export interface OutagesOptions {
  /** Default: a database of the run's server. */
  readonly database?: TestDatabase
  /** Address of Elasticsearch for the tests, without a password; default: the run's server. */
  readonly elasticsearch?: string
  /** Environment of the commands; DATABASE_URL and ELASTICSEARCH_URL are there. */
  readonly env?: Readonly<Record<string, string>>
  /** `.env` of their folder. */
  readonly dotenv?: string
}

export async function outagesWorld({
  database: own,
  elasticsearch,
  env = {},
  dotenv,
}: OutagesOptions = {}): Promise<OutagesWorld> {
  const database = own ?? (await testDatabase())
  const search = elasticsearch === undefined ? testElasticsearch() : testElasticsearch(elasticsearch)
  const place = await workspace({
    DATABASE_URL: database.url,
    ELASTICSEARCH_URL: search.url,
    SLUICE_INSTANCE: 'the daemon',
    ...env,
  })
  const indices = { item: `${search.prefix}item`, other: `${search.prefix}other` }
  const definition = (name: Name): DocumentDefinition => ({
    table: name,
    index: indices[name],
    mappings: { properties: { name: { type: 'keyword' } } },
  })
  const documents = { item: definition('item'), other: definition('other') }
  await place.write('sluice.config.json', JSON.stringify({ documents }))
  if (dotenv !== undefined) await place.write('.env', dotenv)
  await database.pool.query('CREATE TABLE item (id int PRIMARY KEY, name text)')
  await database.pool.query('CREATE TABLE other (id int PRIMARY KEY, name text)')
  const installed = await place.sluice(['install', '--no-backfill'])
  if (installed.code !== 0) throw new Error(`install: ${installed.stdout}${installed.stderr}`)
  await database.pool.query(`
    CREATE TABLE charged (document text, key text, attempts int, type text, reason text);
    CREATE FUNCTION charge() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.charged VALUES (new.document, new.key, new.attempts, new.type, new.reason); RETURN NULL; END $$;
    CREATE TRIGGER charge AFTER INSERT OR UPDATE ON sluice.sync_failed FOR EACH ROW EXECUTE FUNCTION charge()`)

  const status = async () =>
    statusJson.parse(await readStatus({ pool: database.pool, schema: 'sluice' }, null))
  const charged = async () => (await database.pool.query('SELECT * FROM charged')).rows
  const pending = async () => {
    const { rows } = await database.pool.query('SELECT count(*)::integer AS marks FROM sluice.sync_queue')
    return rows[0]?.marks ?? null
  }
  const nameOf = async (document: Name, id: number) => {
    const answer = await search.request('GET', `/${indices[document]}/_doc/${id}`)
    return (answer as { _source?: { name: string } })._source?.name
  }
  return {
    database,
    search,
    place,
    indices,
    run: async (more) => {
      const started = place.start(['run'], more)
      const works = () => started.output().split('document is worked on').length > names.length
      await eventually(works, { timeoutMs: 30_000, describe: () => started.output() })
      return started
    },
    status,
    worker: () =>
      eventually(async () => (await status()).workers[0] ?? null, { describe: 'a daemon in status' }),
    write: async (table, id, name) => {
      await database.pool.query(
        `INSERT INTO ${table} VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
        [id, name],
      )
    },
    arrives: (document, id, name) =>
      eventually(async () => (await nameOf(document, id)) === name, {
        timeoutMs: 40_000,
        describe: () => status(),
      }).then(() => undefined),
    recovers: async () => {
      await eventually(async () => (await pending()) === 0, { timeoutMs: 60_000, describe: status })
      for (const name of names) {
        const truth = `SELECT id::text, json_build_object('id', id, 'name', name) AS document FROM ${name} ORDER BY id`
        const { missing, stale, extra, examples } = await compare({
          pool: database.pool,
          elasticsearch: search.url,
          index: indices[name],
          truth,
        })
        if (missing + stale + extra > 0) throw new Error(`${name}: ${examples.join(', ')}, extra ${extra}`)
      }
      const ever = await charged()
      if (ever.length > 0) throw new Error(`charged: ${JSON.stringify(ever)}`)
    },
    charged,
    drop: async () => {
      await place.remove()
      await search.drop()
      await database.drop()
    },
  }
}
