import { escapeIdentifier } from 'pg'
import type { Queryable } from '../postgres/types.ts'
import type { Replacement } from './types.ts'

/** What an index lacks, as far as the queue and the failures say. */
export interface Readiness {
  /** Keys that are parked, because one of the new indices takes no writes. */
  readonly parked: number
  /** Documents that are being retried. */
  readonly retrying: number
  /** Documents that failed there, and not in the index before. */
  readonly refused: number
}

/** Rides sync_queue_parked and the primary key of sync_failed, which has all failures of the document: they are few. */
export async function readReadiness(
  db: Queryable,
  schema: string,
  document: string,
  indices: readonly Pick<Replacement, 'name' | 'from'>[],
): Promise<Readiness> {
  const s = escapeIdentifier(schema)
  const { rows } = await db.query<Readiness>(
    `WITH replaced AS (SELECT * FROM unnest($2::text[], $3::text[]) AS r (name, before))
     SELECT (SELECT coalesce(sum(cardinality(q.keys)), 0)::float8 FROM ${s}.sync_queue q
              WHERE q.lane = 2 AND q.target = ANY ($2)) AS parked,
            count(*) FILTER (WHERE f.state = 'retrying')::float8 AS retrying,
            count(*) FILTER (WHERE r.before IS NOT NULL AND NOT EXISTS (
              SELECT FROM ${s}.sync_failed b
               WHERE b.document = f.document AND b.key = f.key AND b.target IN (r.before, '')))::float8 AS refused
       FROM ${s}.sync_failed f JOIN replaced r ON r.name = f.target
      WHERE f.document = $1`,
    [document, indices.map(({ name }) => name), indices.map(({ from }) => from)],
  )
  return rows[0] ?? { parked: 0, retrying: 0, refused: 0 }
}

/**
 * Of keys that have no document, those that are dead letters: refused by this index, or never read. Of keys that have one
 * and no row, those whose delete the mass-delete brake holds back. Neither says anything against the index.
 */
export async function explainedKeys(
  db: Queryable,
  schema: string,
  document: string,
  {
    kind,
    index,
    keys,
  }: { readonly kind: 'missing' | 'extra'; readonly index: string; readonly keys: readonly string[] },
): Promise<ReadonlySet<string>> {
  const s = escapeIdentifier(schema)
  const sql =
    kind === 'missing'
      ? `SELECT key FROM ${s}.sync_failed
          WHERE document = $1 AND key = ANY ($2) AND state = 'dead' AND target IN ($3, '')`
      : `SELECT k.key FROM ${s}.sync_queue m CROSS JOIN LATERAL unnest(m.keys) AS k (key)
          WHERE m.document = $1 AND m.lane = 2 AND (m.target IS NULL OR m.target = $3)
            AND m.keys && $2::text[] AND k.key = ANY ($2)`
  const { rows } = await db.query<{ key: string }>(sql, [document, keys, index])
  return new Set(rows.map(({ key }) => key))
}

/** The most frequent reason for which these indices refuse documents; null where there is none. */
export async function mainReason(
  db: Queryable,
  schema: string,
  document: string,
  indices: readonly Pick<Replacement, 'name'>[],
): Promise<string | null> {
  const { rows } = await db.query<{ reason: string }>(
    `SELECT type || ': ' || reason AS reason FROM ${escapeIdentifier(schema)}.sync_failed
      WHERE document = $1 AND target = ANY ($2) GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1`,
    [document, indices.map(({ name }) => name)],
  )
  return rows[0]?.reason ?? null
}
