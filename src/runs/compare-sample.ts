import { quoteIdentifier, quoteTable } from '../catalog/quote.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import { sqlState } from '../postgres/connect.ts'
import { READ_SETTINGS } from '../postgres/read-settings.ts'
import { inTransaction } from '../postgres/transaction.ts'
import type { Queryable } from '../postgres/types.ts'
import { compareListed, type DocumentsComparison } from './compare-documents.ts'
import { compareKeys, type RowsComparison } from './compare-rows.ts'
import type { RunWork } from './context.ts'
import { estimateTotal } from './estimate.ts'
import { viewSource } from './walk-source.ts'

/** What one search returns at most (`index.max_result_window`). */
export const MOST_SAMPLED = 10_000

/** More pages are taken than the rows need, for pages are not equally full. */
const MARGIN = 1.5

/**
 * Looks at `size` rows and `size` documents chosen at random: the rows find what is missing or stale, the documents what is
 * extra. Rows come from pages of the table chosen at random (TABLESAMPLE SYSTEM), which reads as many pages as rows are
 * asked for however large the table is. It can miss what is rare: of one fault in a million documents 10,000 find it
 * once in a hundred times; and rows of one page were often written together, so faults that stand together count once.
 */
export async function compareSample(
  work: RunWork,
  size: number,
  comparison: RowsComparison,
): Promise<{ readonly rows: number; readonly documents: number }> {
  const keys = await sampleKeys(work, size)
  const rows = await compareKeys(work, comparison, keys)
  return { rows, documents: await compareChosen(work, size, comparison) }
}

async function compareChosen(work: RunWork, size: number, comparison: DocumentsComparison): Promise<number> {
  const targets = [...comparison.targets.values()].flat()
  const [first] = targets
  if (first === undefined) return 0
  const names = targets.length === 1 ? first.index : templatePattern(work.plan.index)
  for (const { index } of targets) await work.elasticsearch.refresh(index)
  const chosen = await work.elasticsearch.sampleDocuments(names, size)
  let documents = 0
  for (const target of targets) {
    const page = chosen.filter(({ index }) => index === target.index)
    if (page.length === 0) continue
    await compareListed(work, comparison, target, page)
    documents += page.length
  }
  return documents
}

/** Keys of rows that have a document, fewer than asked for where there are no more. */
async function sampleKeys({ pool, schema, plan }: RunWork, size: number): Promise<readonly string[]> {
  return inTransaction(
    pool,
    async (client) => {
      const { total } = await estimateTotal(client, viewSource(plan, schema))
      let percent = total === 0 ? 100 : Math.min(100, ((100 * size) / total) * MARGIN)
      for (;;) {
        const keys = await sampleOnce(client, schema, plan, { size, percent })
        if (keys.length >= size || percent === 100) return keys
        percent = Math.min(100, percent * 4)
      }
    },
    { settings: READ_SETTINGS },
  )
}

interface Sampling {
  readonly size: number
  readonly percent: number
}

async function sampleOnce(
  db: Queryable,
  schema: string,
  plan: DocumentPlan,
  { size, percent }: Sampling,
): Promise<readonly string[]> {
  const view = quoteTable({ schema, name: plan.view })
  const id = plan.key.slice(0, plan.idParts)
  const columns = id.map(({ name }) => `r.${quoteIdentifier(name)}`).join(', ')
  const keys = id.map((_, n) => `w.key_${n + 1}`).join(', ')
  await db.query('SAVEPOINT sample')
  try {
    const { rows } = await db.query<{ key: string }>(
      `SELECT w.key FROM ${view} w
        WHERE (${keys}) IN (SELECT ${columns} FROM ${quoteTable(plan.table)} r TABLESAMPLE SYSTEM ($1))
        ORDER BY random() LIMIT $2`,
      [percent, size],
    )
    return rows.map(({ key }) => key)
  } catch (error) {
    // A view or a foreign table has no pages, and a column may have another name by now: every row is drawn for.
    if (!['42809', '0A000', '42703', '42P01'].includes(sqlState(error) ?? '')) throw error
    await db.query('ROLLBACK TO SAVEPOINT sample')
    const { rows } = await db.query<{ key: string }>(
      `SELECT w.key FROM ${view} w WHERE random() < $1::float8 / 100 LIMIT $2`,
      [percent, size],
    )
    return rows.map(({ key }) => key)
  }
}
