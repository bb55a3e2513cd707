import { type Cell, usual } from './cell.ts'
import { editsBeside } from './edits-beside.ts'
import { article } from './rows.ts'
import type { World } from './world.ts'

/** Rows that the statement leaves alone, and people edit. Those it changes are locked until it commits. */
const EDITED = 5_000

/** Single edits while what one statement over a million rows has marked is worked off. */
export const bulkVsInteractive: Cell = {
  name: 'bulk-vs-interactive',
  about:
    'Single edits (--rate a second, default 50) while one UPDATE of --rows rows is drained: commit to answer, p99.',
  defaults: { ...usual, rows: 1_000_000 },
  figures: { 'p99 of single edits': { of: 'value', atMost: 150 } },
  world: { documents: { article } },
  measure: (world, options, note) =>
    editsBeside(world, options, note, {
      what: 'the statement',
      count: options.rows + EDITED,
      edited: { first: options.rows + 1, rows: EDITED },
      begin: async () => {
        await world.pool.query('UPDATE article SET stock = stock + 1 WHERE id <= $1', [options.rows])
        const began = performance.now()
        const rate = (at: number) => Math.round(options.rows / ((at - began) / 1000))
        return { ended: bulkEmptied(world).then((at) => ({ bulk_documents_per_second: rate(at) })) }
      },
      settle: async () => {
        await world.pool.query('VACUUM article')
      },
    }),
}

/** Resolves when the bulk lane is empty. */
async function bulkEmptied({ pool }: World): Promise<number> {
  for (;;) {
    const { rows } = await pool.query(
      `SELECT FROM sluice.sync_queue WHERE document = 'article' AND lane = 1 ORDER BY id LIMIT 1`,
    )
    if (rows.length === 0) return performance.now()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
