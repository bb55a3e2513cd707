import type { SluiceConfig } from '../../src/config/types.ts'
import { scheduled } from './operator.ts'
import { relatedConfig, relatedDocuments, relatedTables } from './related.ts'

/**
 * Tables of an imaginary shop, their documents, and what is true about them: three of one table each here, and those of
 * many tables in related.ts. The truth is written by hand, from
 * what the documentation promises: it owes sluice nothing, so it can judge it.
 */

interface ChaosDocument {
  readonly name: string
  /** Alias of its index, or a pattern of several. */
  readonly index: string
  /** `id` and `document` of every row that should have a document and can have one. */
  readonly truth: string
  /** `key` of every row that should have a document and cannot: each must be in sync_failed, and nothing else may be. */
  readonly poisoned: string
  /** The application's own repair of those rows. */
  readonly cure: string
}

export const tables = `
  CREATE SCHEMA shop;
  -- One bigint key, an omitted column, every other column used.
  CREATE TABLE shop.item (
    id         bigint      PRIMARY KEY,
    name       text        NOT NULL,
    price      numeric(12,2),
    stock      integer     NOT NULL DEFAULT 0,
    active     boolean     NOT NULL DEFAULT true,
    released   date,
    tags       text[],
    notes      text,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  -- A composite text key, whose text is awkward.
  CREATE TABLE shop.label (
    namespace  text NOT NULL,
    code       text NOT NULL,
    title      text NOT NULL,
    weight     numeric,
    attributes json,
    hidden_by  text,
    internal   integer NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, code)
  );
  -- Partitioned on two levels: rows move between leaves.
  CREATE TABLE shop.event (
    region  text        NOT NULL,
    id      bigint      NOT NULL,
    kind    text        NOT NULL,
    payload text,
    at      timestamptz,
    noise   integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (region, id)
  ) PARTITION BY LIST (region);
  CREATE TABLE shop.event_eu PARTITION OF shop.event FOR VALUES IN ('eu');
  CREATE TABLE shop.event_us PARTITION OF shop.event FOR VALUES IN ('us');
  CREATE TABLE shop.event_quiet PARTITION OF shop.event FOR VALUES IN ('quiet');
  CREATE TABLE shop.event_silent PARTITION OF shop.event FOR VALUES IN ('silent');
  CREATE TABLE shop.event_rest PARTITION OF shop.event DEFAULT PARTITION BY HASH (id);
  CREATE TABLE shop.event_rest_0 PARTITION OF shop.event_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE shop.event_rest_1 PARTITION OF shop.event_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);

  -- What is there before sluice is installed.
  INSERT INTO shop.item (id, name, price, stock) SELECT n, 'item ' || n, n / 7.0, n % 100 FROM generate_series(1, 2000) n;
  INSERT INTO shop.label (namespace, code, title) SELECT 'plain', 'old ' || n, 'label ' || n FROM generate_series(1, 1000) n;
  INSERT INTO shop.event (region, id, kind, payload)
    SELECT (ARRAY['eu', 'us', 'ch', 'a:b'])[n % 4 + 1], n, 'open', 'event ' || n FROM generate_series(1, 1000) n;
  ${relatedTables}
`

/** A stock that does not fit is refused by Elasticsearch; the other poisons are found before anything is sent. */
const MOST_STOCK = 32_767

const labelId = `replace(replace(namespace, '%', '%25'), ':', '%3A') || ':' || replace(replace(code, '%', '%25'), ':', '%3A')`
const instant = (column: string) => `replace((${column} AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'`

const poison = {
  item: `stock > ${MOST_STOCK} OR released IS NOT DISTINCT FROM 'infinity'`,
  label: `octet_length(${labelId}) > 512 OR weight IS NOT DISTINCT FROM 'NaN'`,
  event: `at IS NOT DISTINCT FROM 'infinity'`,
}

export const documents: readonly ChaosDocument[] = [
  {
    name: 'item',
    index: 'chaos-items',
    truth: `
      SELECT id::text AS id,
             json_build_object('id', id, 'name', name, 'price', price, 'stock', stock, 'active', active, 'released', released,
                               'tags', tags, 'changed_at', ${instant('changed_at')}) AS document
        FROM shop.item WHERE active AND NOT (${poison.item})`,
    poisoned: `SELECT id::text AS key FROM shop.item WHERE active AND (${poison.item})`,
    cure: `UPDATE shop.item SET stock = 0, released = NULL WHERE ${poison.item}`,
  },
  {
    name: 'label',
    index: 'chaos-labels',
    truth: `
      SELECT ${labelId} AS id,
             json_build_object('namespace', namespace, 'code', code, 'weight', weight, 'attributes', attributes,
                               'title', json_build_object('text', title, 'loud', upper(title))) AS document
        FROM shop.label WHERE hidden_by IS NULL AND NOT (${poison.label})`,
    poisoned: `
      SELECT jsonb_build_array(namespace, code)::text AS key
        FROM shop.label WHERE hidden_by IS NULL AND (${poison.label})`,
    cure: `
      DELETE FROM shop.label WHERE octet_length(${labelId}) > 512;
      UPDATE shop.label SET weight = 1 WHERE weight = 'NaN'`,
  },
  {
    name: 'event',
    index: 'chaos-events',
    truth: `
      SELECT replace(region, ':', '%3A') || ':' || id AS id,
             json_build_object('region', region, 'id', id, 'kind', kind, 'payload', payload, 'at', ${instant('at')}) AS document
        FROM shop.event WHERE kind <> 'draft' AND NOT (${poison.event})`,
    poisoned: `
      SELECT jsonb_build_array(region, id::text)::text AS key
        FROM shop.event WHERE kind <> 'draft' AND (${poison.event})`,
    cure: `UPDATE shop.event SET at = now() WHERE ${poison.event}`,
  },
  ...relatedDocuments,
]

/**
 * A Postgres in whose crash all is lost that nobody has asked to be flushed. Commits wait for the disk only where somebody
 * says so, and nothing gets there by chance: what has left shared memory for the operating system survives the crash of
 * Postgres alone, flushed or not. So no page is to be written before its time, and the log of a second is to fit its buffers.
 */
export const forgetful: Readonly<Record<string, string>> = {
  // A slow disk: each flush takes 20 ms more. Between the moment a version is drawn and its use, much may happen.
  commit_delay: '20000',
  commit_siblings: '0',
  synchronous_commit: 'off',
  wal_writer_delay: '10s',
  wal_writer_flush_after: '1GB',
  wal_buffers: '128MB',
  full_page_writes: 'off',
  shared_buffers: '256MB',
  bgwriter_lru_maxpages: '0',
  checkpoint_timeout: '1h',
  max_wal_size: '4GB',
  deadlock_timeout: '200ms',
}

export interface Addresses {
  readonly postgres: string
  readonly elasticsearch: string
}

/**
 * Short time-outs, so that a frozen server is given up while its late answers still matter. Many batches in flight, and
 * small ones: those of one key, at two of its states, are to overlap. `runs`: with schedules.
 */
export function config(addresses: Addresses, { runs }: { readonly runs: boolean }): SluiceConfig {
  const documents = [scheduled]
  return {
    connection: addresses,
    limits: {
      requestTimeout: 3_000,
      shutdownTimeout: 5_000,
      concurrency: 4,
      batchSize: 100,
      pollingInterval: 20,
    },
    documents: {
      item: {
        table: 'shop.item',
        index: 'chaos-items',
        where: 'active',
        omit: ['notes'],
        mappings: { properties: { stock: { type: 'short' } } },
      },
      label: {
        table: 'shop.label',
        index: 'chaos-labels',
        where: 'hidden_by IS NULL',
        fields: {
          namespace: 'namespace',
          code: 'code',
          weight: 'weight',
          attributes: 'attributes',
          'title.text': 'title',
          'title.loud': { sql: 'upper(title)' },
        },
      },
      event: {
        table: 'shop.event',
        index: 'chaos-events',
        where: "kind <> 'draft'",
        fields: ['region', 'id', 'kind', 'payload', 'at'],
      },
      ...relatedConfig,
    },
    ...(runs
      ? {
          schedules: {
            refill: { cron: '* * * * *', run: 'backfill', documents },
            look: { cron: '* * * * *', timezone: 'Asia/Kathmandu', run: 'verify', repair: true, documents },
          },
        }
      : {}),
  }
}
