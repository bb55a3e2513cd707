import { type Cell, usual } from './cell.ts'
import { type Drained, drainOnce } from './drain-once.ts'
import { article, articleTable, fillTable } from './rows.ts'
import { flat } from './subject.ts'

/** Keys that wait, one size after the other; those above --rows are left out. */
const SIZES = [10_000, 100_000, 1_000_000, 5_000_000] as const

const KEYS_PER_MARK = 500

/** Drained first, and not counted: servers are warm then. */
const WARM_KEYS = 300_000

/** Rows whose documents have a megabyte each. */
const LARGE = 1_000
const large = { document: 'large', definition: { ...article, table: 'large', index: 'bench-large' } }

const keysOf = (size: number) => `${size.toLocaleString('en')} keys`
const LARGE_ROWS = '1,000 rows of 1 MB'

/**
 * What a drain takes the more keys wait: the most resident memory of the daemon, from its start to the empty queue
 * (/proc/<pid>/status, VmHWM), and the time and processor time of a document.
 */
export const memoryCell: Cell = {
  name: 'memory',
  about:
    'Draining 10,000 keys to --rows keys (up to 5,000,000), and 1,000 rows of 1 MB: peak resident memory of the daemon, and what a document costs.',
  defaults: { ...usual, rounds: 3, rows: 5_000_000 },
  figures: {
    [keysOf(SIZES[0])]: { of: 'value', atMost: 160 },
    [keysOf(SIZES[3])]: { of: 'value', atMost: 160 },
    [LARGE_ROWS]: { of: 'value', atMost: 400 },
  },
  world: { documents: { [flat.document]: flat.definition, [large.document]: large.definition } },
  async *measure(world, { rounds, rows }, note) {
    note(`writing ${rows} rows of 800 bytes and ${LARGE} of 1 MB`)
    await flat.fill(world, rows)
    await world.pool.query(articleTable('large'))
    await fillTable(world.postgresUrl, { count: LARGE, table: 'large', bytes: 1_000_000 })
    await world.sluice('install', '--no-backfill')
    const warm = await drainOnce(world, flat, Math.min(rows, WARM_KEYS), KEYS_PER_MARK)
    note(`warm-up: drain, ${Math.round(warm.documentsPerSecond)} a second`)
    for (let round = 1; round <= rounds; round++) {
      for (const size of SIZES.filter((keys) => keys <= rows)) {
        const drained = await drainOnce(world, flat, size, KEYS_PER_MARK)
        yield peak(round, keysOf(size), drained)
        const { documentsPerSecond, ours, cost } = drained
        yield { round, case: `${keysOf(size)}, pace`, value: documentsPerSecond, unit: 'documents/s' }
        if (ours === null) continue
        const name = `${keysOf(size)}, processor time of daemon and Postgres`
        yield { round, case: name, value: ours, unit: 'µs a document', details: cost }
      }
      // The index of millions would be merged for minutes beside them.
      await world.reinstall(flat.document)
      yield peak(round, LARGE_ROWS, await drainOnce(world, large, LARGE, KEYS_PER_MARK))
    }
  },
}

function peak(round: number, name: string, { memory }: Drained) {
  const details = { at_the_end: Math.round(memory.now) }
  return { round, case: name, value: memory.peak, unit: 'MB', details }
}
