import { setTimeout as delay } from 'node:timers/promises'
import { openArticles } from '../chaos/articles-world.ts'
import { beyondLimits, LOAD_LIMITS, memoryIsFlat, watchGrowth } from '../chaos/growth.ts'
import { startSteadyWrites } from '../chaos/steady-writes.ts'
import type { Row } from './row.ts'
import { conclude } from './verdict.ts'

const WRITES_A_SECOND = 100

/**
 * Share of the time that is for warming up. It took daemons fifty minutes until the C library's pools were as large as they
 * ever became (docs/reliability.md): an hour, and an hour that is measured.
 */
const WARM_UP = 0.5

/**
 * An application writes at a steady rate, one daemon follows, nothing goes wrong. Every two seconds its resident memory, its
 * open files and the size of the queue with its indexes are looked at; the first half is for warming up.
 *
 * Memory: the slope of a line through the ceilings of sixteen stretches of the rest (growth.ts), and its standard error. It is
 * refused where it is above a megabyte an hour by more than twice that error. `memoryIsFlat` says whether it is below by
 * as much: only then has the run shown it. Minutes show a leak of a hundred megabytes an hour and no other.
 *
 * Files: the median of the last quarter against that of the first. Queue: the most that it took after the first quarter
 * against the most within it.
 */
export const load: Row = {
  name: 'load',
  about: `steady writes for --seconds or --minutes, half of them to warm up: memory grows by at most ${LOAD_LIMITS.memoryMbPerHour} MB an hour, handles flat, queue bloat at most ${LOAD_LIMITS.queueTimes} times`,
  defaults: { seconds: 7_200 },
  run: async ({ seconds, say, closing, program }) => {
    const world = await openArticles({ name: 'load', say, closing, program, daemons: 1 })
    const pid = world.daemons.pid(0)
    if (pid === null) throw new Error('there is no daemon')
    const writes = startSteadyWrites(world.postgres.url, WRITES_A_SECOND)
    closing.defer(() => writes.stop())
    const growth = watchGrowth(pid, world.pool, WARM_UP)
    say(`${WRITES_A_SECOND} writes a second, for ${seconds} s`)
    for (let left = seconds; left > 0; left -= 60) {
      await delay(Math.min(60, left) * 1_000)
      say(`${writes.count} writes`)
    }
    const grown = await growth.stop()
    const flat = memoryIsFlat(grown, LOAD_LIMITS)
    const { figures, problems } = await conclude(world, {
      writes,
      more: beyondLimits(grown, LOAD_LIMITS),
      say,
    })
    const verdict = flat === null ? 'undecided' : flat ? 'yes' : 'no'
    return { figures: { seconds, ...grown, memoryIsFlat: verdict, ...figures }, problems }
  },
}
