import { eventually } from '../eventually.ts'

/** What a step of the documents is, and what the steps have in common: tables, a configuration, states to wait for. */

export interface Said {
  readonly code: number | null
  /** Both streams. */
  readonly output: string
}

/** What a step may do beside its command. */
export interface DocsWorld {
  /** The name of an index here. */
  index(name: string): string
  /** The name of a role here. */
  role(name: string): string
  sql(text: string): Promise<readonly Record<string, unknown>[]>
  search(method: string, path: string, body?: unknown): Promise<unknown>
  /** A file of the project, whose folder the commands run in. */
  write(name: string, text: string): Promise<void>
  /** Bodies that the webhook got. */
  posted(): readonly string[]
}

export interface Step {
  readonly run: string
  /** It is SQL, and `says` is held against its rows as JSON. */
  readonly sql?: true
  /** Exit code; default 0. */
  readonly code?: number
  /** The essential line. */
  readonly says?: RegExp
  /** What is typed where it asks. */
  readonly answers?: string
  /** Ctrl-C when it has said this. */
  readonly interrupt?: RegExp
  /** A daemon: it goes on, and has said `says` soon. */
  readonly goesOn?: true
  /** It ends the daemon, with exit code 0. */
  readonly ends?: true
  /** In an empty folder of that name instead of the project's; `repository`: in this repository. */
  readonly in?: string
  /** With a schema of its own, after which the roles are called: they belong to the server. */
  readonly roles?: true
  readonly before?: (world: DocsWorld) => Promise<void>
  readonly after?: (world: DocsWorld) => Promise<void>
}

export interface Chapter {
  readonly title: string
  readonly steps: readonly Step[]
}

export const TABLES = `
  CREATE TABLE country (code text PRIMARY KEY, name text NOT NULL);
  INSERT INTO country VALUES ('ch', 'Switzerland'), ('np', 'Nepal');
  CREATE TABLE city (
    id bigint PRIMARY KEY, name text NOT NULL, tenant_id text NOT NULL, active boolean NOT NULL DEFAULT true,
    expires_at timestamptz, updated_at timestamptz NOT NULL DEFAULT now());
  INSERT INTO city SELECT n, 'city ' || n, n % 50, true FROM generate_series(1, 3000) n;
  CREATE TABLE translation (city_id bigint, lang text, name text NOT NULL, PRIMARY KEY (city_id, lang));
  INSERT INTO translation VALUES (42, 'de', 'Stadt'), (42, 'fr', 'ville');
  CREATE TABLE product (id int PRIMARY KEY, name text NOT NULL);
  INSERT INTO product VALUES (1, 'Kettle');
  CREATE TABLE parcel (id int PRIMARY KEY, sent text);
  INSERT INTO parcel VALUES (1, '2026-11-26');
  CREATE TABLE article (id int PRIMARY KEY, title text NOT NULL);
  INSERT INTO article VALUES (1, 'On rivers');`

export function config(world: DocsWorld, more: Readonly<Record<string, object>> = {}): string {
  const document = (table: string, index: string, rest = {}) => ({
    table,
    index: world.index(index),
    settings: { number_of_replicas: 0 },
    ...rest,
  })
  return JSON.stringify({
    documents: {
      city: document('city', 'cities', { where: 'active', tenant: 'tenant_id' }),
      country: document('country', 'countries'),
      translation: document('translation', 'translations'),
      product: document('product', 'products'),
      article: document('article', 'articles'),
      parcel: document('parcel', 'parcels', { mappings: { properties: { sent: { type: 'date' } } } }),
      ...more,
    },
  })
}

/** Nothing waits, and no run is under way. */
export const settled = async ({ sql }: DocsWorld) => {
  const left = () =>
    sql(`SELECT 'mark' AS what, document, lane, target FROM sluice.sync_queue WHERE lane < 2
         UNION ALL SELECT kind || ' ' || state, document, NULL, error FROM sluice.sync_run
                    WHERE state IN ('requested', 'running', 'cancelling')`)
  await eventually(async () => (await left()).length === 0, { timeoutMs: 60_000, describe: left })
}

export const triggers = async ({ sql }: DocsWorld) =>
  (await sql("SELECT FROM pg_trigger WHERE tgname LIKE 'sluice_%'")).length

/** Cities 42 and 43 have a date that Elasticsearch does not know, and are dead letters. */
export const dead = async (world: DocsWorld) => {
  await world.sql(`UPDATE city SET expires_at = 'infinity', updated_at = now() WHERE id IN (42, 43)`)
  await settled(world)
  const failures = () =>
    world.sql("SELECT key, state, reason FROM sluice.sync_failed WHERE document = 'city'")
  await eventually(async () => (await failures()).filter(({ state }) => state === 'dead').length === 2, {
    describe: failures,
  })
}

export const alive = async (world: DocsWorld) => {
  await world.sql('UPDATE city SET expires_at = NULL WHERE expires_at IS NOT NULL')
  await world.sql(`UPDATE parcel SET sent = '2026-11-27'`)
  await settled(world)
}

/** A parcel has a text that its mapping takes for no date. */
export const refused = async (world: DocsWorld) => {
  await world.sql(`UPDATE parcel SET sent = 'soon' WHERE id = 1`)
  const failures = () => world.sql('SELECT * FROM sluice.sync_failed')
  await eventually(
    async () =>
      (await failures()).some(({ type, state }) => type === 'document_parsing_exception' && state === 'dead'),
    { describe: failures },
  )
}

/** 1,500 rows stop matching: the brake lets a thousand go. First those, for batches in flight do not know of each other. */
export const brake = async (world: DocsWorld) => {
  await world.sql('UPDATE city SET active = false WHERE id > 1000 AND id <= 2000')
  await settled(world)
  await world.sql('UPDATE city SET active = false WHERE id > 2000 AND id <= 2500')
  const state = () => world.sql('SELECT * FROM sluice.sync_brake')
  await eventually(async () => (await state()).some(({ tripped_at }) => tripped_at !== null), {
    describe: state,
  })
}

export const noParked = async (world: DocsWorld) => {
  const parked = () => world.sql('SELECT document, parked_keys FROM sluice.sync_stats WHERE parked_keys > 0')
  await eventually(async () => (await parked()).length === 0, { describe: parked })
}
