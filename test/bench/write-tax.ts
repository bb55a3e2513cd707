import pg from 'pg'
import { type Cell, type Figure, type Measurement, usual } from './cell.ts'
import { fillTable } from './rows.ts'
import { median } from './statistics.ts'
import type { World } from './world.ts'
import {
  child,
  createTaxedTables,
  empty,
  parted,
  plain,
  type TaxedTable,
  taxedDocuments,
  use,
  type Variant,
} from './write-tax-variants.ts'

/** A way to write, timed in blocks. */
interface Load {
  readonly name: string
  readonly clients: number
  /** Rows of one statement, which is one transaction. */
  readonly rowsEach: number
  /** Transactions of one client in a block. */
  readonly transactions: number
}

const thousands: Load = { name: '1,000-row statements', clients: 1, rowsEach: 1_000, transactions: 8 }
const single: Load = { name: 'single rows, 1 client', clients: 1, rowsEach: 1, transactions: 150 }
const four: Load = { name: 'single rows, 4 clients', clients: 4, rowsEach: 1, transactions: 100 }

/** Pairs of blocks for each variant in a round: the median of their differences is the round's figure. */
const PAIRS = 16

/** Percent, above no trigger and above an empty one. */
const asked: readonly (readonly [Load, whole: number, aboveEmpty: number])[] = [
  [thousands, 10, 5],
  [single, 12, 5],
  [four, 20, 8],
]

const caseOf = (table: TaxedTable, load: Load, what: string) => `${table.prefix}${load.name}: ${what}`
const aboveEmpty = ({ name }: Variant) => `${name}, above an empty trigger`
const isOurs = ({ name }: Variant) => name.startsWith('ours')

const figures: Readonly<Record<string, Figure>> = Object.fromEntries(
  [plain, child].flatMap((table) =>
    table.variants.filter(isOurs).flatMap((variant) =>
      asked.flatMap(([load, whole, above]): [string, Figure][] => [
        [caseOf(table, load, variant.name), { of: 'value', atMost: whole }],
        [caseOf(table, load, aboveEmpty(variant)), { of: 'value', atMost: above }],
      ]),
    ),
  ),
)

/** What triggers cost the application: time of the same UPDATEs, beside those without a trigger in the same breath. */
export const writeTax: Cell = {
  name: 'write-tax',
  about:
    'UPDATEs with and without triggers, in interleaved pairs on the same table of --rows rows; no daemon runs.',
  defaults: usual,
  figures,
  world: { documents: taxedDocuments },
  async *measure(world, { rounds, rows }, note) {
    const clients = await connect(world.postgresUrl, four.clients)
    try {
      await createTaxedTables(world)
      await fillTable(world.postgresUrl, { table: 'plain', count: rows })
      await fillTable(world.postgresUrl, { table: 'parted', count: rows })
      await fillTable(world.postgresUrl, { table: 'child', count: rows })
      await world.sluice('install', '--no-backfill')
      const cases: readonly (readonly [TaxedTable, Load])[] = [
        [plain, thousands],
        [plain, single],
        [plain, four],
        [child, thousands],
        [child, single],
        [child, four],
        [parted, thousands],
        [parted, single],
      ]
      for (let round = 0; round <= rounds; round++) {
        for (const [table, load] of cases) {
          await tidy(world, table)
          const block = (variant: Variant) => timeBlock({ world, clients, table, load, rows }, variant)
          let floor = 0
          for (const variant of table.variants) {
            const pairs = await timePairs(block, table.bare, variant, round === 0 ? 2 : PAIRS)
            if (round === 0) continue
            const measured = measurement(round, caseOf(table, load, variant.name), load, pairs)
            yield measured
            if (variant === empty) floor = measured.value
            if (!isOurs(variant)) continue
            const value = measured.value - floor
            yield { round, case: caseOf(table, load, aboveEmpty(variant)), value, unit: '% of no trigger' }
          }
        }
        if (round === 0) note('warmed up')
      }
    } finally {
      await Promise.all(clients.map((client) => client.end()))
    }
  },
}

interface Pair {
  readonly bare: number
  readonly taxed: number
}

function measurement(round: number, name: string, load: Load, pairs: readonly Pair[]): Measurement {
  const each = (times: readonly number[]) => median(times) / load.transactions
  const bareMs = each(pairs.map(({ bare }) => bare))
  const slower = median(pairs.map(({ bare, taxed }) => (taxed / bare - 1) * 100))
  const details = {
    ms_without: Number(bareMs.toPrecision(3)),
    ms_with: Number(each(pairs.map(({ taxed }) => taxed)).toPrecision(3)),
    throughput_lost: `${((1 - 1 / (1 + slower / 100)) * 100).toFixed(1)} %`,
  }
  return { round, case: name, value: slower, unit: '% slower', details }
}

/** The order within a pair alternates, so that whatever drifts hits both alike. */
async function timePairs(
  block: (variant: Variant) => Promise<number>,
  bareVariant: Variant,
  variant: Variant,
  count: number,
): Promise<readonly Pair[]> {
  const pairs: Pair[] = []
  for (let n = 0; n < count; n++) {
    if (n % 2 === 0) {
      const bare = await block(bareVariant)
      pairs.push({ bare, taxed: await block(variant) })
    } else {
      const taxed = await block(variant)
      pairs.push({ bare: await block(bareVariant), taxed })
    }
  }
  return pairs
}

interface Block {
  readonly world: World
  readonly clients: readonly pg.Client[]
  readonly table: TaxedTable
  readonly load: Load
  readonly rows: number
}

let next = 0

/** Milliseconds for a block of transactions, each client its own rows. */
async function timeBlock({ world, clients, table, load, rows }: Block, variant: Variant): Promise<number> {
  await use(world, table, variant)
  const workers = clients.slice(0, load.clients)
  const share = Math.floor(rows / load.clients)
  const update = (client: pg.Client, n: number) => {
    next += load.rowsEach * 13
    const first = 1 + n * share + (next % Math.max(1, share - load.rowsEach))
    return client.query({
      name: `update ${table.name}`,
      text: `UPDATE ${table.name} SET stock = stock + 1 WHERE id BETWEEN $1 AND $2`,
      values: [first, first + load.rowsEach - 1],
    })
  }
  // The first statements after a switch plan anew.
  await Promise.all(
    workers.map(async (client, n) => {
      for (let i = 0; i < 3; i++) await update(client, n)
    }),
  )
  const began = performance.now()
  await Promise.all(
    workers.map(async (client, n) => {
      for (let i = 0; i < load.transactions; i++) await update(client, n)
    }),
  )
  return performance.now() - began
}

async function tidy({ pool, checkpoint }: World, table: TaxedTable): Promise<void> {
  await pool.query('TRUNCATE sluice.sync_queue, bench_outbox')
  await pool.query(`VACUUM ${table.name}`)
  await checkpoint()
}

async function connect(url: string, count: number): Promise<readonly pg.Client[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const client = new pg.Client({ connectionString: url, application_name: 'bench client' })
      client.on('error', () => {})
      await client.connect()
      return client
    }),
  )
}
