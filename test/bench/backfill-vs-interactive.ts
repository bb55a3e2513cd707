import { type Cell, usual } from './cell.ts'
import { editsBeside } from './edits-beside.ts'
import { article } from './rows.ts'
import { type EndedRun, runEnded } from './run-ended.ts'

/** Rows that people edit, in the midst of those that the backfill walks. */
const EDITED = 5_000

/** Single edits while a backfill runs: what it costs those who work meanwhile. */
export const backfillVsInteractive: Cell = {
  name: 'backfill-vs-interactive',
  about:
    'Single edits (--rate a second, default 50) while sluice backfill of --rows rows runs: commit to answer, p50 and p99.',
  defaults: { ...usual, rows: 1_000_000 },
  figures: { 'p99 of single edits': { of: 'value', atMost: 250 } },
  world: { documents: { article } },
  measure: (world, options, note) =>
    editsBeside(world, options, note, {
      what: 'the backfill',
      count: options.rows,
      edited: {
        first: Math.max(1, Math.floor((options.rows - EDITED) / 2)),
        rows: Math.min(EDITED, options.rows),
      },
      begin: async () => {
        await world.sluice('backfill', 'article', '--no-wait')
        const rate = ({ processed, seconds }: EndedRun) => Math.round(processed / seconds)
        return {
          ended: runEnded(world, { kind: 'backfill' }).then((run) => ({
            backfill_documents_per_second: rate(run),
          })),
        }
      },
    }),
}
