import { type Cell, usual } from './cell.ts'
import { memory } from './process-figures.ts'
import { verified } from './verify.ts'
import type { World } from './world.ts'

/** Small documents: what a verify keeps is keys and pages of bounded bytes, and millions of them are made in a minute. */
const few = { table: 'few', index: 'bench-few' }
const many = { table: 'many', index: 'bench-many' }

/** So many times fewer rows, verified as many times more often: both daemons have looked at as many documents. */
const FEWER = 10

/** Peak memory of a daemon that has done nothing else, by how many rows it verifies. */
export const verifyMemory: Cell = {
  name: 'verify-memory',
  about: `peak resident memory of a daemon that verifies --rows small rows once, and a tenth of them ${FEWER} times.`,
  defaults: { ...usual, rounds: 1, rows: 2_000_000 },
  figures: {},
  world: { documents: { few, many } },
  async *measure(world, { rounds, rows }, note) {
    await fill(world, few.table, Math.ceil(rows / FEWER))
    await fill(world, many.table, rows)
    await world.sluice('install', '--no-backfill')
    note(`backfill of ${rows} rows and a tenth of them`)
    const filling = await world.startDaemon()
    await world.sluice('backfill', 'few', 'many')
    await filling.stop()
    for (let round = 1; round <= rounds; round++) {
      for (const deep of [false, true]) {
        const how = deep ? 'deep' : 'by id'
        const peakOf = async (document: 'few' | 'many', times: number) => {
          const value = await peak(world, { document, deep, times })
          return {
            round,
            case: `${how}, ${document === 'few' ? 'a tenth of the rows' : 'all rows'}`,
            value,
            unit: 'MB',
          }
        }
        yield await peakOf('few', FEWER)
        yield await peakOf('many', 1)
      }
    }
  },
}

async function fill({ pool }: World, table: string, rows: number): Promise<void> {
  await pool.query(`
    CREATE TABLE ${table} (id bigint PRIMARY KEY, n integer NOT NULL);
    INSERT INTO ${table} SELECT i, i % 1000 FROM generate_series(1, ${rows}) AS i`)
  await pool.query(`VACUUM ANALYZE ${table}`)
}

/** Megabytes. Throws where something differs. */
async function peak(
  world: World,
  { document, deep, times }: { readonly document: string; readonly deep: boolean; readonly times: number },
): Promise<number> {
  const daemon = await world.startDaemon()
  for (let n = 0; n < times; n++) {
    const { comparison } = await verified(world, { deep }, document)
    const differ = comparison.missing + comparison.stale + comparison.extra
    if (differ > 0) throw new Error(`${differ} of ${comparison.rows} documents differ`)
  }
  const { peak: value } = memory(daemon.pid)
  await daemon.stop()
  return value
}
