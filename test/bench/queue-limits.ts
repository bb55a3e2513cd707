import type pg from 'pg'
import { createPool } from '../../src/postgres/connect.ts'
import { drawVersion } from '../../src/postgres/version.ts'
import { claimMarks } from '../../src/queue/claim-marks.ts'
import { settleBatch } from '../../src/queue/settle-batch.ts'
import type { Claim } from '../../src/queue/types.ts'
import { type Cell, type Measurement, usual } from './cell.ts'
import { treeCpuSeconds } from './process-figures.ts'
import { writeMarks } from './queue.ts'
import { flat } from './subject.ts'
import type { World } from './world.ts'

/** Workers at once; each has two connections, as a batch has. */
const WORKERS = [1, 2, 4, 8, 16, 32] as const

/** Keys of a claim: BATCH_SIZE's default. */
const CLAIM_KEYS = 1_000

const kinds = [
  ['array marks', 500],
  ['single-key marks', 1],
] as const

/** Nothing but Postgres: claim → version → settle, by ever more workers. The loads and Elasticsearch come on top of it. */
export const queueLimits: Cell = {
  name: 'queue-limits',
  about:
    'Claim, version and settlement of --rows keys by 1 to 32 workers that load and send nothing, and their WAL; versions drawn alone.',
  defaults: { ...usual, rows: 500_000, seconds: 5 },
  figures: {},
  world: { documents: { [flat.document]: flat.definition } },
  async *measure(world, { rounds, rows, seconds }, note) {
    await flat.fill(world, 1)
    await world.sluice('install', '--no-backfill')
    for (let round = 0; round <= rounds; round++) {
      for (const workers of WORKERS) {
        const pool = createPool(world.postgresUrl, { max: 2 * workers, applicationName: 'bench client' })
        const connections = await Promise.all(Array.from({ length: 2 * workers }, () => pool.connect()))
        try {
          for (const [kind, keysPerMark] of kinds) {
            const measured = await claimAll(world, connections, rows, keysPerMark)
            if (round > 0) yield { round, case: `${kind}, workers: ${workers}`, ...measured }
          }
          const drawn = await drawFor(connections.slice(0, workers), seconds * 1000)
          if (round > 0)
            yield { round, case: `versions, workers: ${workers}`, value: drawn, unit: 'versions/s' }
        } finally {
          for (const connection of connections) connection.release()
          await pool.end()
        }
      }
      if (round === 0) note('warmed up')
    }
  },
}

/** Keys a second until the queue is empty. */
async function claimAll(
  world: World,
  connections: readonly pg.PoolClient[],
  rows: number,
  keysPerMark: number,
): Promise<Pick<Measurement, 'value' | 'unit' | 'details'>> {
  await world.pool.query('TRUNCATE sluice.sync_queue')
  // Before the marks: their pages are not written to WAL as a whole again when they are claimed.
  await world.checkpoint()
  const start = await walBytes(world)
  await writeMarks(world, { document: flat.document, lane: 1, count: rows, keysPerMark })
  const written = await walBytes(world)
  const { pids } = world
  const before = pids === null ? 0 : treeCpuSeconds(pids.postgres)
  const began = performance.now()
  let keys = 0
  await Promise.all(
    connections
      .filter((_, n) => n % 2 === 0)
      .map(async (claims, n) => {
        const work = connections[2 * n + 1] ?? claims
        for (;;) {
          const claim = await claimSome(claims)
          if (claim === null) return
          const { version } = await drawVersion(work, 'sluice')
          await settle(claims, claim, version)
          keys += keysOf(claim).length
        }
      }),
  )
  if (keys !== rows) throw new Error(`${keys} keys were claimed of ${rows}`)
  const value = (keys * 1000) / (performance.now() - began)
  const perKey = (total: number) => Number((total / rows).toFixed(2))
  const wal = {
    wal_bytes_written: perKey(written - start),
    wal_bytes_claimed: perKey((await walBytes(world)) - written),
  }
  const cost =
    pids === null ? {} : { cpu_us_postgres: perKey((treeCpuSeconds(pids.postgres) - before) * 1e6) }
  return { value, unit: 'keys/s', details: { ...wal, ...cost } }
}

async function walBytes({ pool }: World): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS bytes`,
  )
  return rows[0]?.bytes ?? 0
}

const keysOf = ({ marks }: Claim) => marks.flatMap(({ keys }) => keys ?? [])

function claimSome(client: pg.PoolClient): Promise<Claim | null> {
  return claimMarks(client, 'sluice', {
    document: flat.document,
    lane: 1,
    maxKeys: CLAIM_KEYS,
    idleTimeoutMs: 60_000,
  })
}

/** As where every key was answered well, and nothing is due in the log. */
function settle(client: pg.PoolClient, claim: Claim, version: bigint): Promise<void> {
  const { document, lane } = claim
  return settleBatch(
    client,
    'sluice',
    {
      document,
      lane,
      version,
      succeeded: new Map([[flat.definition.index, keysOf(claim)]]),
      failures: [],
      givenBack: [],
      parked: [],
      runs: [],
      log: [],
      lagCounts: [],
      batches: 0,
    },
    { worker: 'bench', maxRetries: 5 },
  )
}

/** Versions a second, each durable, for so long. */
async function drawFor(connections: readonly pg.PoolClient[], milliseconds: number): Promise<number> {
  const began = performance.now()
  let drawn = 0
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() - began < milliseconds) {
        await drawVersion(connection, 'sluice')
        drawn += 1
      }
    }),
  )
  return (drawn * 1000) / (performance.now() - began)
}
