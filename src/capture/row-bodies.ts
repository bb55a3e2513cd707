import { quoteLiteral } from '../catalog/quote.ts'
import {
  alarm,
  head,
  INTERACTIVE_KEYS,
  insertInto,
  type MarkTarget,
  type RowEvent,
} from './function-bodies.ts'
import { fingerprint } from './names.ts'

/*
 * Bodies of row-level trigger functions, for partitioned tables and subscribers of logical replication. A statement over
 * a million rows is a million calls, and none of them sees the statement: marks are counted per transaction in a custom
 * setting, and from the 101st on they go to the bulk lane. To count costs 0.6 µs of the 12 that a mark of a row takes
 * (processor time on PG 18).
 *
 * A setting ends with the transaction. A rolled back savepoint takes it back to what it was, and with it the marks that
 * it stands for: they were written under the same savepoint, for both are done in one call.
 */

/** A mark for each row. `collect` sets `marked` to the keys concerned, or returns where there are none. */
export function rootRowBody(target: MarkTarget, event: RowEvent, collect: string): string {
  return rowBody(target, event, { collect, note: '' })
}

/**
 * A mark for each row whose links are others than those of the row before it: a statement over a thousand children of
 * one parent writes one. `collect` sets `marked` to the links concerned, which may be null.
 *
 * It is safe to leave out what the last mark of this transaction said: that mark is committed with the change or not at
 * all, and whoever claims it reads the rows after that. The setting says "last mark" only where that mark is: see above.
 * A row that is left out costs 3 µs instead of 15, and one that is not 3 µs more than on a root table.
 */
export function relatedRowBody(target: MarkTarget, event: RowEvent, collect: string): string {
  const last = setting(target, 'last')
  return rowBody(target, event, {
    declare: '  said text;\n',
    collect: `${collect}
    marked := array_remove(marked, NULL);
    IF cardinality(marked) = 0 THEN
      RETURN NULL;
    END IF;
    said := current || ${quoteLiteral(`${event} `)} || marked::text;
    IF current_setting(${last}, true) = said THEN
      RETURN NULL;
    END IF;`,
    note: `
  PERFORM set_config(${last}, said, true);`,
  })
}

/** As with statements (markingBody), what may raise only reads, and the insert stands outside. */
function rowBody(
  target: MarkTarget,
  event: RowEvent,
  {
    declare = '',
    collect,
    note,
  }: { readonly declare?: string; readonly collect: string; readonly note: string },
): string {
  const rows = setting(target, 'rows')
  const lane = `CASE WHEN written < ${INTERACTIVE_KEYS} THEN 0 ELSE 1 END`
  return `DECLARE
  marked text[];
  noted text := current_setting(${rows}, true);
  current text := pg_current_xact_id()::text || ' ';
  written integer := 0;
${declare}BEGIN
  BEGIN
${collect}
    IF starts_with(noted, current) THEN
      written := substr(noted, length(current) + 1);
    END IF;
  EXCEPTION WHEN OTHERS THEN
${alarm(target)}
    RETURN NULL;
  END;
  ${insertInto(target)}
  VALUES (${head(target, lane)}, marked, '${event}');
  IF written < ${INTERACTIVE_KEYS} THEN
    PERFORM set_config(${rows}, current || (written + 1), true);
  END IF;${note}
  RETURN NULL;
END`
}

/** `rows`: `<transaction> <its marks, up to 100>`. `last`: `<transaction> <event> <keys>` of its last mark. */
function setting(target: MarkTarget, what: 'rows' | 'last'): string {
  return quoteLiteral(`sluice.${what}_${fingerprint(JSON.stringify(target))}`)
}
