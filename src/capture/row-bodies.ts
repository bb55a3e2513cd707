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
 * a million rows is a million calls, and none of them sees the statement: rows are counted per transaction in a custom
 * setting, and from the 101st on their marks go to the bulk lane.
 *
 * The setting ends with the transaction. A rolled back savepoint takes the setting back to what it was, and with it the
 * marks that it counted: they were written under the same savepoint, for both are done in one call.
 */

/** A mark for each row. `collect` sets `marked` to the keys concerned, or returns where there are none. */
export function rootRowBody(target: MarkTarget, event: RowEvent, collect: string): string {
  return rowBody(target, event, {
    collect: `${collect}
    IF starts_with(noted, current) THEN
      written := substr(noted, length(current) + 1);
    END IF;`,
    note: `IF written < ${INTERACTIVE_KEYS} THEN
    PERFORM set_config(${setting(target)}, current || (written + 1), true);
  END IF;`,
  })
}

/**
 * A mark for each row whose links are others than those of the row before it: a statement over a thousand children of
 * one parent writes one. `collect` sets `marked` to the links concerned, which may be null.
 *
 * It is safe to leave out what the last mark of this transaction said: that mark is committed with the change or not at
 * all, and whoever claims it reads the rows after that. The setting says "last mark" only where that mark is: see above.
 */
export function relatedRowBody(target: MarkTarget, event: RowEvent, collect: string): string {
  return rowBody(target, event, {
    declare: '  said text;\n',
    collect: `${collect}
    marked := array_remove(marked, NULL);
    IF cardinality(marked) = 0 THEN
      RETURN NULL;
    END IF;
    said := ${quoteLiteral(` ${event} `)} || marked::text;
    IF starts_with(noted, current) THEN
      written := split_part(noted, ' ', 2);
      IF noted = current || written || said THEN
        RETURN NULL;
      END IF;
    END IF;`,
    note: `PERFORM set_config(${setting(target)}, current || least(written + 1, ${INTERACTIVE_KEYS}) || said, true);`,
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
  const lane = `CASE WHEN written < ${INTERACTIVE_KEYS} THEN 0 ELSE 1 END`
  return `DECLARE
  marked text[];
  noted text := current_setting(${setting(target)}, true);
  current text := pg_current_xact_id()::text || ' ';
  written integer := 0;
${declare}BEGIN
  BEGIN
${collect}
  EXCEPTION WHEN OTHERS THEN
${alarm(target)}
    RETURN NULL;
  END;
  ${insertInto(target)}
  VALUES (${head(target, lane)}, marked, '${event}');
  ${note}
  RETURN NULL;
END`
}

/** `<transaction> <marks so far, up to 100>`, of a related table followed by what the last one said. */
function setting(target: MarkTarget): string {
  return quoteLiteral(`sluice.rows_${fingerprint(JSON.stringify(target))}`)
}
