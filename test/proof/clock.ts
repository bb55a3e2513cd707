import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { FailedError } from '../../src/errors.ts'
import { percentile } from '../bench/statistics.ts'
import { openArticles } from '../chaos/articles-world.ts'
import { startSteadyWrites } from '../chaos/steady-writes.ts'
import { eventually } from '../support/eventually.ts'
import { BELIEVED_MS, CLOCK_REMEDY, createFalseClock } from '../support/false-clock.ts'
import { restartOnce, untilSettled } from './restarts.ts'
import type { Row } from './row.ts'
import { conclude } from './verdict.ts'

const WRITES_A_SECOND = 50

/** Seconds from the truth. */
const OFFSETS = [-86_400, -3_600, -30, -1, 0, 1, 30, 3_600, 86_400] as const

/** After every so many steps Postgres is restarted: each daemon joins it anew, and raises the floor of versions to the clock. */
const RESTART_EVERY = 5

/**
 * The database's clock and that of the daemons' machine are set, forward and back by up to a day, one without the other,
 * while an application writes and two daemons follow; in between Postgres is restarted, at whatever time it believes it
 * is. Both clocks are false for real (libfaketime); the monotonic ones go on, as they do where a time server steps in.
 *
 * After each step a row is written, and its mark has to be settled; and the sequence of versions must not have gone back
 * (invariant 5), whatever the clock says. Nothing may be compared between the two clocks (invariant 14).
 */
export const clock: Row = {
  name: 'clock',
  about:
    '--count steps of the clocks of Postgres and of the daemons, by up to a day: nothing lost, no version goes back',
  defaults: { count: 100 },
  run: async ({ count, random, say, closing, program }) => {
    const clocks = { postgres: createFalseClock(), daemons: createFalseClock() }
    const { postgres, daemons } = clocks
    if (postgres === null || daemons === null) {
      throw new FailedError('no clock can be set without libfaketime', { remedy: CLOCK_REMEDY })
    }
    closing.defer(() => postgres.remove())
    closing.defer(() => daemons.remove())
    const environments = { postgres: postgres.environment, daemons: daemons.environment }
    const world = await openArticles({ name: 'clock', say, closing, program, daemons: 2, environments })
    const writes = startSteadyWrites(world.postgres.url, WRITES_A_SECOND, { mayBeAway: true })
    closing.defer(() => writes.stop())
    const times: number[] = []
    const more: string[] = []
    let widestSeconds = 0
    for (let n = 1; n <= count && more.length === 0; n++) {
      const before = await eventually(() => versionOf(world.pool))
      const whose = random.pick(['postgres', 'daemons'] as const)
      const offset = random.pick(OFFSETS)
      ;(whose === 'postgres' ? postgres : daemons).set(offset)
      await delay(random.int(BELIEVED_MS, 2 * BELIEVED_MS))
      if (whose === 'postgres') {
        const isBelieved = async () => Math.abs((await offsetOf(world.pool)) - offset) < 5
        await eventually(isBelieved, { describe: `Postgres is ${offset} s from the truth` })
        widestSeconds = Math.max(widestSeconds, Math.abs(offset))
      }
      const ms =
        n % RESTART_EVERY === 0
          ? await restartOnce(world.postgres, n, random)
          : await untilSettled(world.postgres.url, n, performance.now())
      if (ms === null) more.push(`step ${n}, ${whose} by ${offset} s: no batch was settled`)
      else times.push(ms)
      const after = await eventually(() => versionOf(world.pool))
      if (after < before) more.push(`step ${n}, ${whose} by ${offset} s: version ${after} after ${before}`)
      if (n % 5 === 0) say(`${n} steps; last was ${whose} by ${offset} s`)
    }
    postgres.set(0)
    daemons.set(0)
    const { figures, problems } = await conclude(world, { writes, more, say })
    const at = (share: number) => Math.round(percentile(times, share))
    const settledMs = { p50: at(0.5), p99: at(0.99), max: at(1) }
    return {
      figures: { steps: times.length, widestSeconds, settledMs, interrupted: writes.interrupted, ...figures },
      problems,
    }
  },
}

async function versionOf(pool: pg.Pool): Promise<bigint> {
  const { rows } = await pool.query<{ last: string }>('SELECT last_value AS last FROM sluice.sync_version')
  return BigInt(rows[0]?.last ?? 0)
}

/** How far the database's clock is from ours, seconds. */
async function offsetOf(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ now: number }>(
    'SELECT extract(epoch FROM clock_timestamp())::float8 AS now',
  )
  return Math.round((rows[0]?.now ?? Number.NaN) - Date.now() / 1000)
}
