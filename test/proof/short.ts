import { setTimeout as delay } from 'node:timers/promises'
import { openArticles } from '../chaos/articles-world.ts'
import { startSteadyWrites } from '../chaos/steady-writes.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { loseAnswers, lossWrites } from './lost-answers.ts'
import { itemRefusals } from './refused.ts'
import { restartOnce } from './restarts.ts'
import type { Row } from './row.ts'
import { terminateOnce } from './sigterm.ts'
import { conclude } from './verdict.ts'

/** Of each fault. */
const LOST = 30
const REFUSED_MS = 3_000
const TIMES = 3

const WRITES_A_SECOND = 25

/** Answers that hang are given up soon, and those of a machine that is busy are not. */
const limits = { requestTimeout: 5_000, concurrency: 4 }

/**
 * The short form of the other rows, one after the other on the same servers, with the criteria that owe nothing to how fast
 * or how busy a machine is: nothing missing, stale or extra, no dead letter, daemons that end with exit code 0 and leave
 * no claim. For CI.
 */
export const short: Row = {
  name: 'short',
  about: `all of these in a minute, for CI: ${LOST} answers lost, items refused, ${TIMES} crashes of Postgres, ${TIMES} SIGTERMs; nothing is asked of times`,
  defaults: { count: 1 },
  run: async ({ count: rounds, random, say, closing, program }) => {
    let started: FaultProxy | undefined
    const world = await openArticles({
      name: 'short',
      say,
      closing,
      program,
      daemons: 2,
      documents: 3,
      limits,
      before: async (elasticsearch) => {
        started = await startFaultProxy(elasticsearch)
        return started.url
      },
    })
    if (started === undefined) throw new Error('there is no proxy')
    const proxy = started
    closing.defer(() => proxy.close())
    const writes = startSteadyWrites(world.postgres.url, WRITES_A_SECOND, { ...lossWrites, mayBeAway: true })
    closing.defer(() => writes.stop())
    const more: string[] = []
    const done = { lost: 0, refused: 0, restarts: 0, signals: 0 }
    for (let round = 1; round <= rounds; round++) {
      const { lost, problems } = await loseAnswers(proxy, { count: LOST, random, say })
      done.lost += lost
      more.push(...problems)

      say('items are refused')
      const refusal = itemRefusals(random)
      proxy.break('/_bulk', () => {
        done.refused += 1
        return refusal
      })
      await delay(REFUSED_MS)
      proxy.heal()

      say('Postgres crashes')
      for (let n = 1; n <= TIMES; n++) {
        if ((await restartOnce(world.postgres, round * TIMES + n, random)) !== null) done.restarts += 1
      }

      say('a daemon is told to end')
      // The other one would have the claims.
      await world.daemons.terminate(1)
      proxy.break('/_bulk', () => ({ kind: 'slow', ms: random.int(0, 300) }))
      for (let n = 1; n <= TIMES; n++) {
        const ended = await terminateOnce(world, random)
        if (ended === null) continue
        done.signals += 1
        more.push(...ended.problems)
      }
      proxy.heal()
      world.daemons.startAll()
    }
    const expected = { restarts: rounds * TIMES, signals: rounds * TIMES }
    if (done.restarts < expected.restarts) more.push('no batch was settled after a crash of Postgres')
    if (done.signals < expected.signals) more.push('a daemon was gone before it was told to end')
    if (done.refused === 0) more.push('nothing was refused')
    const { figures, problems } = await conclude(world, { writes, more, say })
    return { figures: { ...done, ...figures }, problems }
  },
}
