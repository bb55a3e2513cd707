import { quoteIdentifier, quoteLiteral } from '../catalog/quote.ts'
import { fingerprint } from './names.ts'

/** Keys of one mark: larger arrays save nothing more, and a claim is bounded by keys, a mark at a time. */
const KEYS_PER_MARK = 500
/** A statement that marks more keys than this is bulk work and goes to lane 1. */
export const INTERACTIVE_KEYS = 100
/** A statement of up to this many keys is held in one array, about half a megabyte, in the application's backend. */
export const HELD_KEYS = 10_000

/** Where a trigger function writes, and in whose name. */
export interface MarkTarget {
  readonly schema: string
  readonly document: string
  readonly source: string
}

export type RowEvent = 'insert' | 'update' | 'delete'

/** Queries for the keys that an UPDATE concerns, one column each. */
export interface UpdatedKeys {
  readonly before: string
  readonly after: string
  /** Old and new rows paired by key; where columns are left out, only pairs that differ in a used one. */
  readonly paired: string
  /** Null where every column is used: then there is nothing to compare. */
  readonly comparison: Comparison | null
}

interface Comparison {
  /**
   * Whether any old row differs from any new one: of a single row, whether it changed. Of several, two with different keys
   * do, and the key is among the columns compared (usedColumns): the first few pairs say so, never all of them.
   */
  readonly any: string
  /** How many of the first SAMPLE rows changed. */
  readonly sample: string
}

/** Row pairs that are compared before a large UPDATE is compared as a whole. */
export const SAMPLE = 32

/** The keys of a query, one more than are held: then it is known that there are more. */
export const held = (query: string) => `ARRAY(SELECT q.key FROM (${query}) AS q (key) LIMIT ${HELD_KEYS + 1})`

/** Body of a statement-level trigger function for INSERT or DELETE; `keys` is a query for the keys concerned, one column. */
export function statementBody(target: MarkTarget, event: 'insert' | 'delete', keys: string): string {
  const collect = `    marked := ${held(keys)};
    IF cardinality(marked) > ${HELD_KEYS} THEN
      PERFORM count(q.key) FROM (${keys}) AS q (key);
    END IF;`
  return markingBody(target, event, { declare: '', collect, keys })
}

/**
 * Body of a statement-level trigger function for UPDATE.
 *
 * The keys before and after, in the order of the statement, are the same where no key changed: then those are all of
 * them, and rows are not paired. What was left out of the document is compared where that pays: always for a single
 * row, and up to a hundred; above, a statement of whose first rows half have changed is not compared at all (a key
 * marked without need costs a look at its row, no more).
 */
export function updateBody(target: MarkTarget, { before, after, paired, comparison }: UpdatedKeys): string {
  const declare = `  same boolean;${comparison === null ? '' : '\n  changed boolean;'}\n`
  const compare =
    comparison === null
      ? ''
      : `
    IF same AND NOT changed THEN
      RETURN NULL;
    END IF;
    IF cardinality(marked) > ${INTERACTIVE_KEYS} THEN
      same := same AND ${comparison.sample} >= ${SAMPLE / 2};
    ELSIF cardinality(marked) > 1 THEN
      same := false;
    END IF;`
  const collect = `    SELECT q.after, q.after = q.before${comparison === null ? '' : `, ${comparison.any}`}
      INTO marked, same${comparison === null ? '' : ', changed'}
      FROM (SELECT ${held(after)}, ${held(before)} OFFSET 0) AS q (after, before);${compare}
    IF NOT same OR cardinality(marked) > ${HELD_KEYS} THEN
      marked := ${held(paired)};
      IF cardinality(marked) > ${HELD_KEYS} THEN
        PERFORM count(q.key) FROM (${paired}) AS q (key);
      END IF;
    END IF;`
  return markingBody(target, 'update', { declare, collect, keys: paired })
}

/**
 * The keys are collected in a block of its own that only reads: whatever raises in there (a column dropped with
 * CASCADE took our function along) becomes an "everything" mark and not the application's error (invariant 15),
 * and a block that writes nothing costs no subtransaction id. The inserts stand outside: a mark that cannot be
 * written must fail the change that it stands for (invariant 1).
 *
 * Up to HELD_KEYS the array is collected once and sliced; slicing costs the way to the slice, so that it would be
 * quadratic in the end. Above, the query is run twice in bounded memory: once in the block, for what raises has to
 * raise there, once to insert. Measured on 200,000 updated rows of 0.45 s: +0.03 s for counting, +0.06 s for inserting.
 */
export function markingBody(
  target: MarkTarget,
  event: RowEvent,
  { declare, collect, keys }: { readonly declare: string; readonly collect: string; readonly keys: string },
): string {
  return `DECLARE
  marked text[];
${declare}BEGIN
  BEGIN
${collect}
  EXCEPTION WHEN OTHERS THEN
${alarm(target)}
    RETURN NULL;
  END;
  IF cardinality(marked) BETWEEN 1 AND ${KEYS_PER_MARK} THEN
    ${insertInto(target)}
    VALUES (${head(target, `CASE WHEN cardinality(marked) > ${INTERACTIVE_KEYS} THEN 1 ELSE 0 END`)}, marked, '${event}');
  ELSIF cardinality(marked) <= ${HELD_KEYS} THEN
    ${insertInto(target)}
    SELECT ${head(target, '1')}, marked[first:first + ${KEYS_PER_MARK - 1}], '${event}'
      FROM generate_series(1, cardinality(marked), ${KEYS_PER_MARK}) AS first;
  ELSE
    ${insertInto(target)}
    SELECT ${head(target, '1')}, array_agg(c.key), '${event}'
      FROM (SELECT q.key, (row_number() OVER () - 1) / ${KEYS_PER_MARK} AS n FROM (${keys}) AS q (key)) AS c
     GROUP BY c.n;
  END IF;
  RETURN NULL;
END`
}

/** Body of the TRUNCATE trigger function: an "everything" mark. */
export function truncateBody(target: MarkTarget): string {
  return `BEGIN
${everything(target, 'truncate')}
  RETURN NULL;
END`
}

export function alarm(target: MarkTarget): string {
  const what = `sluice: document ${target.document} cannot tell which rows of %s changed, all of them will be looked at: %s`
  const hint =
    'A column, function or view that the document is made of is gone. Adapt the configuration and run sluice install.'
  return everything(
    target,
    'alarm',
    `RAISE WARNING USING MESSAGE = format(${quoteLiteral(what)}, TG_RELID::regclass, SQLERRM), HINT = ${quoteLiteral(hint)};`,
  )
}

/**
 * Marks everything, once a transaction: a row-level trigger that cannot compute its key would write a mark a row, a
 * TRUNCATE one for every leaf. The setting ends with the transaction, and with a rolled back savepoint, as its mark does.
 */
function everything(target: MarkTarget, op: 'truncate' | 'alarm', also = ''): string {
  const setting = `'sluice.${op}_${fingerprint(JSON.stringify(target))}'`
  return `    IF coalesce(current_setting(${setting}, true), '') <> pg_current_xact_id()::text THEN
      ${insertInto(target)}
      VALUES (${head(target, '1')}, NULL, '${op}');
      PERFORM set_config(${setting}, pg_current_xact_id()::text, true);${also && `\n      ${also}`}
    END IF;`
}

export function insertInto({ schema }: MarkTarget): string {
  return `INSERT INTO ${quoteIdentifier(schema)}.sync_queue (document, lane, source, keys, op)`
}

export function head({ document, source }: MarkTarget, lane: string): string {
  return `${quoteLiteral(document)}, ${lane}, ${quoteLiteral(source)}`
}
