import type { Queryable } from '../postgres/types.ts'
import type { WalkSource } from './walk-source.ts'

export interface Total {
  readonly total: number
  readonly counted: 'exact' | 'estimate'
}

/** A plan of this cost (about 100,000 narrow rows read in sequence) takes well under a second to count. */
const COUNT_BELOW_COST = 25_000

/**
 * How many keys a walk will mark: counted when the planner thinks that cheap, otherwise the planner's own figure. That is
 * pg_class.reltuples scaled to the table's present size, times the selectivity of `where`; it exists for a table that
 * was never analysed, too. Judged by cost and not by rows: a condition without an index may match ten rows and
 * still take minutes to count.
 */
export async function estimateTotal(db: Queryable, source: WalkSource): Promise<Total> {
  const explained = await db.query<{
    'QUERY PLAN': [{ Plan: { 'Total Cost': number; 'Plan Rows': number } }]
  }>(`EXPLAIN (FORMAT JSON) SELECT 1 FROM ${source.from}`)
  const plan = explained.rows[0]?.['QUERY PLAN'][0].Plan
  if (plan !== undefined && plan['Total Cost'] > COUNT_BELOW_COST) {
    return { total: plan['Plan Rows'], counted: 'estimate' }
  }
  const { rows } = await db.query<{ count: number }>(`SELECT count(*)::float8 AS count FROM ${source.from}`)
  return { total: rows[0]?.count ?? 0, counted: 'exact' }
}
