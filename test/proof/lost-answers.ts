import { setTimeout as delay } from 'node:timers/promises'
import { wayToLose } from '../chaos/answers.ts'
import { openArticles } from '../chaos/articles-world.ts'
import { startSteadyWrites } from '../chaos/steady-writes.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import type { Row, RowContext } from './row.ts'
import { conclude } from './verdict.ts'

/** Share of the bulk requests whose answer is lost. After each the document waits, longer from one to the next. */
const SHARE = 0.25

/** Each article has so many: losses come one after the other for each document, so that many have to be under way. */
const DOCUMENTS = 20

const WRITES_A_SECOND = 25

/** Without a loss for this long something is stuck. */
const STUCK_MS = 120_000

/** A short time-out: one of the ways to lose an answer waits for it. */
const limits = { requestTimeout: 2_000, concurrency: 8, batchSize: 200 }

/** Every second write is to a row that was written a second before: a request that arrives late holds the first state. */
export const lossWrites = { again: WRITES_A_SECOND, wide: false }

/**
 * Bulk requests are forwarded, and carried out by Elasticsearch; the daemon does not get the answer. Counted are only
 * those that Elasticsearch has answered with status 200. Four ways, at random: the connection breaks instead of an
 * answer, it breaks in mid-answer, nothing comes until REQUEST_TIMEOUT, and the request reaches Elasticsearch only after
 * the daemon has given it up: then what was sent again may have overtaken it.
 *
 * Rows are written twice within a second, and then left alone for minutes.
 */
export const lostAnswers: Row = {
  name: 'lost-answers',
  about: '--count answers lost after Elasticsearch has applied the request: 0 divergence, 0 dead letters',
  defaults: { count: 10_000 },
  run: async ({ count, random, say, closing, program }) => {
    let started: FaultProxy | undefined
    const world = await openArticles({
      name: 'lost-answers',
      say,
      closing,
      program,
      daemons: 3,
      documents: DOCUMENTS,
      limits,
      before: async (elasticsearch) => {
        started = await startFaultProxy(elasticsearch)
        return started.url
      },
    })
    if (started === undefined) throw new Error('there is no proxy')
    const proxy = started
    closing.defer(() => proxy.close())

    const writes = startSteadyWrites(world.postgres.url, WRITES_A_SECOND, lossWrites)
    closing.defer(() => writes.stop())
    const { problems: more, ...lost } = await loseAnswers(proxy, { count, random, say })
    const { figures, problems } = await conclude(world, { writes, more, say })
    return { figures: { ...lost, ...figures }, problems }
  },
}

/** Answers get lost by way of this proxy until it is so many of them. */
export async function loseAnswers(
  proxy: FaultProxy,
  { count, random, say }: Pick<RowContext, 'count' | 'random' | 'say'>,
) {
  say(`answers get lost, until it is ${count} of them`)
  const began = performance.now()
  const before = proxy.lost
  const ways = { 'reset-after': 0, 'cut-off': 0, 'hang-after': 0, late: 0 }
  const lost = () => proxy.lost - before
  proxy.break('/_bulk', () => {
    if (lost() >= count || !random.chance(SHARE)) return null
    const fault = wayToLose(random)
    ways[fault.kind] += 1
    return fault
  })
  const stuck = await untilLost(lost, count, say)
  proxy.heal()
  say('no answer is lost any more')
  const seconds = Math.round((performance.now() - began) / 1000)
  const requests = proxy.seen.filter((request) => request === 'POST /_bulk').length
  const problems = stuck ? [`only ${lost()} answers were lost, then nothing was sent any more`] : []
  return { lost: lost(), ways, requests, seconds, problems }
}

/** False when so many were lost; true when it does not come to that. */
async function untilLost(lost: () => number, count: number, say: (text: string) => void): Promise<boolean> {
  let last = { lost: 0, at: performance.now() }
  let told = performance.now()
  while (lost() < count) {
    await delay(50)
    const now = performance.now()
    if (lost() > last.lost) last = { lost: lost(), at: now }
    if (now - last.at > STUCK_MS) return true
    if (now - told > 10_000) {
      told = now
      say(`${lost()} of ${count} answers lost`)
    }
  }
  return false
}
