import pg from 'pg'
import { pino } from 'pino'
import { type InstallResult, install } from '../../src/capture/install.ts'
import type { InstallPlan } from '../../src/capture/plan-install.ts'
import type { Settings } from '../../src/config/types.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { applyRoles, rolesOf } from '../../src/postgres/roles.ts'
import { Instance } from '../../src/runs/instance.ts'
import { eventually } from '../support/context.ts'
import { type Definitions, type InstallWorld, installWorld } from './install-world.ts'

/**
 * An installation as somebody careful makes it: an owner who is no superuser installs, and logins with one role each do
 * the rest. `writer` has the tables, and no right on sluice.
 */
export interface RolesWorld extends Omit<InstallWorld, 'install'> {
  readonly logins: Readonly<Record<Login, pg.Pool>>
  url(login: Login): string
  /** Roles belong to the server: names of this world alone. */
  name(login: Login): string
  /** Runs SQL as a login; `sluice.` stands for our schema, whatever its name. */
  as(login: Login, sql: string): Promise<pg.QueryResult>
  /** Installs as the owner. */
  install(definitions: Definitions, onPlan?: (plan: InstallPlan) => void): Promise<InstallResult>
  /** A daemon, under its login. It is stopped with the world. */
  start(definitions: Definitions): Instance
  /** Waits until nothing is left to do, and no document is paused. */
  settled(): Promise<void>
  /** What an alias's index holds. */
  found(index: string): Promise<readonly Record<string, unknown>[]>
}

/** Cities and sales, installed and indexed by a daemon that goes on. */
export interface CitiesWorld extends RolesWorld {
  readonly definitions: Definitions
  readonly daemon: Instance
}

export type Login = 'owner' | 'daemon' | 'operator' | 'reader' | 'writer'
const names: readonly Login[] = ['owner', 'daemon', 'operator', 'reader', 'writer']

const LIMITS: Settings['limits'] = {
  batchSize: 1000,
  batchBytes: 1024 * 1024,
  concurrency: 1,
  pollingInterval: 20,
  maxRetries: 5,
  requestTimeout: 10_000,
  shutdownTimeout: 10_000,
  syncLogRetentionDays: 7,
}

/** Insufficient privilege. */
export const refusal = '42501'

/** @param tables in schema `app`, created by the owner before the roles are made */
export async function rolesWorld(tables: string): Promise<RolesWorld> {
  const suffix = Math.random().toString(36).slice(2, 10)
  // The roles are called after the schema.
  const schema = `sluice_${suffix}`
  const world = await installWorld(schema)
  const { pool, url } = world.database
  const name = (login: Login) => `${login}_${suffix}`
  const urlOf = (login: Login) => Object.assign(new URL(url), { username: name(login), password: 'pw' }).href
  for (const login of names) await pool.query(`CREATE ROLE ${name(login)} LOGIN PASSWORD 'pw'`)
  await pool.query(`
    ALTER ROLE ${name('owner')} CREATEROLE;
    GRANT CREATE ON DATABASE ${new URL(url).pathname.slice(1)} TO ${name('owner')}`)
  const logins = Object.fromEntries(
    names.map((login) => [login, new pg.Pool({ connectionString: urlOf(login), max: 4 })]),
  ) as RolesWorld['logins']
  await logins.owner.query(`CREATE SCHEMA app; ${tables}`)
  await migrate(urlOf('owner'), schema)
  await applyRoles(urlOf('owner'), schema)
  const roles = rolesOf(schema)
  for (const login of ['daemon', 'operator', 'reader'] as const)
    await logins.owner.query(`GRANT ${roles[login]} TO ${name(login)}`)
  await logins.owner.query(`
    GRANT USAGE ON SCHEMA app TO ${name('writer')};
    GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA app TO ${name('writer')}`)

  const running: Instance[] = []
  const as: RolesWorld['as'] = (login, sql) => logins[login].query(sql.replaceAll('sluice.', `${schema}.`))
  const state = async () => (await as('owner', STATE)).rows[0]
  return {
    ...world,
    logins,
    url: urlOf,
    name,
    as,
    install: (definitions, onPlan = () => {}) =>
      install({
        pool: logins.owner,
        url: urlOf('owner'),
        schema,
        definitions: new Map(Object.entries(definitions)),
        elasticsearch: world.elasticsearch,
        backfill: true,
        dryRun: false,
        onPlan,
        onWait: () => {},
      }),
    start: (definitions) => {
      const settings: Settings = {
        postgres: urlOf('daemon'),
        elasticsearch: { url: world.server.url },
        schema,
        instance: 'the daemon',
        logLevel: 'silent',
        documents: new Map(Object.entries(definitions)),
        file: 'sluice.config.ts',
        limits: LIMITS,
      }
      const instance = new Instance({ settings, log: pino({ level: 'silent' }) })
      running.push(instance)
      instance.start()
      return instance
    },
    settled: async () => {
      const done = async () => (await state()).open === '0'
      await eventually(done, { timeoutMs: 30_000, describe: async () => JSON.stringify(await state()) })
    },
    found: async (index) => {
      await world.server.request('POST', `/${world.server.prefix}${index}/_refresh`)
      const answer = await world.server.request('GET', `/${world.server.prefix}${index}/_search?size=100`)
      return (answer as { hits: { hits: { _source: Record<string, unknown> }[] } }).hits.hits.map(
        ({ _source }) => _source,
      )
    },
    drop: async () => {
      await Promise.all(running.map((instance) => instance.stop()))
      for (const login of Object.values(logins)) await login.end()
      const all = [...Object.values(roles), ...names.map(name)].join(', ')
      await pool.query(`DROP OWNED BY ${all} CASCADE; DROP ROLE ${all}`)
      await world.drop()
    },
  }
}

const TABLES = `
  CREATE TYPE app.kind AS ENUM ('small', 'large');
  CREATE TABLE app.country (code text PRIMARY KEY, name text);
  CREATE TABLE app.city (kind app.kind, id int, name text, secret text, country_code text REFERENCES app.country,
                         active bool NOT NULL DEFAULT true, PRIMARY KEY (kind, id));
  CREATE INDEX ON app.city (country_code);
  CREATE TABLE app.sale (id int PRIMARY KEY, city int);
  CREATE FUNCTION app.slug(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1) $$;
  REVOKE EXECUTE ON FUNCTION app.slug FROM PUBLIC;
  INSERT INTO app.country VALUES ('ch', 'Switzerland');
  INSERT INTO app.city SELECT 'small', n, 'city ' || n, 'secret', 'ch' FROM generate_series(1, 20) n`

export async function citiesWorld(): Promise<CitiesWorld> {
  const world = await rolesWorld(TABLES)
  const prefix = world.server.prefix
  const definitions: Definitions = {
    city: {
      table: 'app.city',
      index: `${prefix}city`,
      fields: { kind: 'kind', id: 'id', name: 'name', slug: { sql: 'app.slug(name)' } },
      where: 'active',
      relations: { country: { one: 'app.country' } },
    },
    sold: {
      table: 'app.sale',
      id: ['id'],
      index: `${prefix}sold`,
      sql: 'SELECT s.id, c.name FROM app.sale s JOIN app.city c ON c.id = s.city WHERE s.id = ANY ($1)',
      dependsOn: { 'app.sale': 'id' },
    },
  }
  await world.install(definitions)
  const daemon = world.start(definitions)
  await world.settled()
  return { ...world, definitions, daemon }
}

const STATE = `
  SELECT (SELECT count(*) FROM sluice.sync_queue) + (SELECT count(*) FROM sluice.sync_run WHERE finished_at IS NULL)
           + (SELECT count(*) FROM sluice.sync_document WHERE state <> 'active' OR alarm IS NOT NULL) AS open,
         (SELECT json_agg(d) FROM (SELECT name, state, reason, alarm FROM sluice.sync_document) d) AS documents,
         (SELECT json_agg(w) FROM (SELECT state, reason, pauses FROM sluice.sync_worker) w) AS daemons,
         (SELECT json_agg(r) FROM (SELECT kind, document, state, error FROM sluice.sync_run) r) AS runs`
