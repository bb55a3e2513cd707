/**
 * Text of a query: what the last verify of each document has left, after its repair where it made one. A sample that found
 * nothing proves nothing, and is passed over; a reindex since then has built another index, and verified it, and a rewrite
 * (the verify that sluice itself asks for) has written every row. Alert, metric and /health are made of this one text.
 * Columns: document, id, finished_at, missing, stale, extra, compared (rows or documents, whichever were more). Reads sync_run, of which `cleanup` leaves few.
 *
 * @param s quoted schema
 */
export function lastDifferencesSql(s: string): string {
  return `
    SELECT DISTINCT ON (r.document) r.document, r.id, r.finished_at, c.missing, c.stale, c.extra, c.compared
      FROM ${s}.sync_run r
     CROSS JOIN LATERAL (SELECT coalesce(r.result #> '{comparison,left}', r.result -> 'comparison') AS found) f
     CROSS JOIN LATERAL (SELECT coalesce((f.found ->> 'missing')::bigint, 0) AS missing, coalesce((f.found ->> 'stale')::bigint, 0) AS stale,
                                coalesce((f.found ->> 'extra')::bigint, 0) AS extra,
                                greatest((r.result #>> '{comparison,rows}')::bigint, (r.result #>> '{comparison,documents}')::bigint, 1) AS compared) c
     WHERE r.kind = 'verify' AND r.state IN ('done', 'failed') AND r.result ? 'comparison'
       AND (r.result #>> '{comparison,sample}' IS NULL OR c.missing + c.stale + c.extra > 0)
       AND NOT EXISTS (SELECT FROM ${s}.sync_run i
                        WHERE i.document = r.document AND i.state = 'done' AND i.id > r.id
                          AND (i.kind = 'reindex' OR i.kind = 'verify' AND i.options ->> 'repair' = 'rewrite'))
     ORDER BY r.document, r.id DESC`
}
