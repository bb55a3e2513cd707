import { setTimeout as delay } from 'node:timers/promises'
import { openArticles } from '../chaos/articles-world.ts'
import type { Random } from '../chaos/random.ts'
import { startSteadyWrites } from '../chaos/steady-writes.ts'
import { type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import type { Row } from './row.ts'
import { conclude } from './verdict.ts'

/** Share of the bulk requests whose answer is lost. After each the document waits, longer from one to the next. */
const SHARE = 0.25

const WRITES_A_SECOND = 25

/** Without a loss for this long something is stuck. */
const STUCK_MS = 120_000

/**
 * Bulk requests are forwarded, and carried out by Elasticsearch; the daemon does not get the answer. Counted are only
 * those that Elasticsearch has answered with status 200. Four ways, at random: the connection breaks instead of an
 * answer, it breaks in mid-answer, nothing comes until REQUEST_TIMEOUT, and the request reaches Elasticsearch only after
 * the daemon has given it up: then what was sent again may have overtaken it.
 *
 * Rows are written twice within a second, and then left alone for minutes: a request that arrives late holds the first state.
 *
 * Six documents of each article, so that many requests are under way: losses come one after the other for each document.
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
      documents: 6,
      // A short time-out: one of the ways to lose an answer waits for it.
      limits: { requestTimeout: 2_000, concurrency: 4, batchSize: 200 },
      before: async (elasticsearch) => {
        started = await startFaultProxy(elasticsearch)
        return started.url
      },
    })
    if (started === undefined) throw new Error('there is no proxy')
    const proxy = started
    closing.defer(() => proxy.close())

    const writes = startSteadyWrites(world.postgres.url, WRITES_A_SECOND, {
      again: WRITES_A_SECOND,
      wide: false,
    })
    closing.defer(() => writes.stop())
    say(`answers get lost, until it is ${count} of them`)
    const began = performance.now()
    const ways = { 'reset-after': 0, 'cut-off': 0, 'hang-after': 0, late: 0 }
    proxy.break('/_bulk', () => {
      if (proxy.lost >= count || !random.chance(SHARE)) return null
      const fault = wayToLose(random)
      ways[fault.kind] += 1
      return fault
    })
    const stuck = await untilLost(proxy, count, say)
    const seconds = Math.round((performance.now() - began) / 1000)
    const requests = proxy.seen.filter((request) => request === 'POST /_bulk').length
    proxy.heal()
    say('no answer is lost any more')
    const more = [...(stuck ? [`only ${proxy.lost} answers were lost, then nothing was sent any more`] : [])]
    const { figures, problems } = await conclude(world, { writes, more, say })
    return { figures: { lost: proxy.lost, ways, requests, seconds, ...figures }, problems }
  },
}

type WayToLose = Extract<Fault, { kind: 'reset-after' | 'cut-off' | 'hang-after' | 'late' }>

function wayToLose(random: Random): WayToLose {
  const dice = random.next()
  if (dice < 0.4) return { kind: 'reset-after' }
  if (dice < 0.7) return { kind: 'cut-off' }
  if (dice < 0.8) return { kind: 'hang-after' }
  // Mostly when the same keys have been sent again: the document waits for up to half a second first.
  return { kind: 'late', ms: random.int(0, 1_500) }
}

/** False when so many were lost; true when it does not come to that. */
async function untilLost(proxy: FaultProxy, count: number, say: (text: string) => void): Promise<boolean> {
  let last = { lost: 0, at: performance.now() }
  let told = performance.now()
  while (proxy.lost < count) {
    await delay(50)
    const now = performance.now()
    if (proxy.lost > last.lost) last = { lost: proxy.lost, at: now }
    if (now - last.at > STUCK_MS) return true
    if (now - told > 10_000) {
      told = now
      say(`${proxy.lost} of ${count} answers lost`)
    }
  }
  return false
}
