import { captureNames } from '../../src/capture/names.ts'
import { quoteIdentifier } from '../../src/catalog/quote.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { article, articleTable } from './rows.ts'
import type { World } from './world.ts'

/** What hangs on the table while statements are timed. One table holds all of it, and all but one is switched off. */
export interface Variant {
  readonly name: string
  /** Trigger that is on; null: none. */
  readonly trigger: string | null
}

export interface TaxedTable {
  readonly name: string
  /** Before the names of its cases. */
  readonly prefix: string
  /** Without anything: what the others are compared with. */
  readonly bare: Variant
  readonly variants: readonly Variant[]
}

const updateTrigger = (document: string, source = '') =>
  captureNames('sluice', document, source).trigger('update')

/** Two documents on one table: the first leaves `note` out and compares, the second takes every column and need not. */
const { omit: _omit, ...whole } = article

export const taxedDocuments: Readonly<Record<string, DocumentDefinition>> = {
  compared: { ...article, table: 'plain', index: 'bench-compared' },
  uncompared: { ...whole, table: 'plain', index: 'bench-uncompared' },
  parted: { ...article, table: 'parted', index: 'bench-parted' },
  family: {
    table: 'parent',
    index: 'bench-family',
    relations: { children: { many: 'child', on: { id: 'parent_id' }, omit: ['note'] } },
  },
}

const CHILDREN_EACH = 3

const bare: Variant = { name: 'no trigger', trigger: null }
/** The floor that issue 9 measures ours from. */
export const empty: Variant = { name: 'empty trigger', trigger: 'bench_empty' }

/** What people write by hand in a queue's place: each row as it is now, whole, into a table that somebody reads. */
const outbox: Variant = { name: 'payload outbox', trigger: 'bench_outbox' }

export const plain: TaxedTable = {
  name: 'plain',
  prefix: '',
  bare,
  variants: [
    empty,
    { name: 'ours with comparison', trigger: updateTrigger('compared') },
    { name: 'ours without', trigger: updateTrigger('uncompared') },
    outbox,
  ],
}

export const parted: TaxedTable = {
  name: 'parted',
  prefix: 'partitioned, ',
  bare,
  variants: [empty, { name: 'ours with comparison', trigger: updateTrigger('parted') }],
}

/** A related table: its marks carry what leads to the documents it is in. */
export const child: TaxedTable = {
  name: 'child',
  prefix: 'related table, ',
  bare,
  variants: [empty, { name: 'ours with comparison', trigger: updateTrigger('family', 'children') }],
}

/**
 * The tables, and on each a trigger that does nothing, of the kind that ours is: on the plain one for the statement, with
 * its transition tables (filling those is part of the floor), on the partitioned one for the row. On the plain one another
 * that fills an outbox, row by row, as by hand.
 */
export async function createTaxedTables({ pool }: World): Promise<void> {
  const like = articleTable('parted').replace(/\)$/, ') PARTITION BY HASH (id)')
  const leaves = [0, 1, 2, 3].map(
    (n) => `CREATE TABLE parted_${n} PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER ${n})`,
  )
  await pool.query(`${articleTable('plain')}; ${like}; ${leaves.join('; ')};
    CREATE FUNCTION bench_empty() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER bench_empty AFTER UPDATE ON plain REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION bench_empty();
    CREATE TABLE bench_outbox (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, table_name text NOT NULL, row_id bigint NOT NULL,
      op text NOT NULL, payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
    CREATE FUNCTION bench_outbox() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO bench_outbox (table_name, row_id, op, payload) VALUES (TG_TABLE_NAME, NEW.id, TG_OP, to_jsonb(NEW));
      RETURN NULL;
    END $$;
    CREATE TRIGGER bench_outbox AFTER UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION bench_outbox();
    CREATE TABLE parent (id bigint PRIMARY KEY, name text NOT NULL);
    ${articleTable('child')};
    ALTER TABLE child ADD parent_id bigint GENERATED ALWAYS AS (id / ${CHILDREN_EACH}) STORED;
    CREATE INDEX ON child (parent_id);
    CREATE TRIGGER bench_empty AFTER UPDATE ON child REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION bench_empty();
    CREATE TRIGGER bench_empty AFTER UPDATE ON parted FOR EACH ROW EXECUTE FUNCTION bench_empty()`)
  // Vacuum comes between rounds, by hand: in the middle of a pair it would be counted to one of the two.
  for (const table of ['plain', 'bench_outbox', 'child', 'parted_0', 'parted_1', 'parted_2', 'parted_3']) {
    await pool.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`)
  }
}

/** Switches the table to a variant. */
export async function use({ pool }: World, table: TaxedTable, { trigger }: Variant): Promise<void> {
  const enable =
    trigger === null ? '' : `; ALTER TABLE ${table.name} ENABLE TRIGGER ${quoteIdentifier(trigger)}`
  await pool.query(`ALTER TABLE ${table.name} DISABLE TRIGGER USER${enable}`)
}
