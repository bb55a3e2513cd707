import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { type BulkExchange, startObserver } from '../bench/observer.ts'
import { broken, busy, page503, refusalOf, unavailable } from '../chaos/answers.ts'
import { openArticles } from '../chaos/articles-world.ts'
import type { Random } from '../chaos/random.ts'
import { startSteadyWrites } from '../chaos/steady-writes.ts'
import { operationsOf } from '../support/bulk-body.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import type { Row } from './row.ts'
import { conclude } from './verdict.ts'

/** Share of the items that are refused in all; and one by one. What is missing to the share is made up by whole requests. */
const SHARE = 0.3
const SINGLE = 0.28
/** Of the requests that come while the share is not reached. */
const WHOLE = 0.2

const MOST_SENDS = 1.5

const WRITES_A_SECOND = 100

/**
 * Elasticsearch is too busy: 30 % of the items are refused with 429 or 503. Some requests are refused as a whole, by
 * Elasticsearch or by a proxy before it; of the others some items: they are not forwarded, and the real answer to the
 * rest says so in their places.
 *
 * A *send* is one operation of a bulk request. The *ideal* is what a server that refuses nothing would have had to be
 * sent: operations that were accepted and changed what the index holds (another content than before, by id). What was
 * accepted and changed nothing, what lost against a newer version, and what was refused, is beyond it. The criterion is
 * against that ideal, so nearly all of its half is for the refusals themselves: whoever sends until it is accepted sends
 * 1 / (1 - 0.3) = 1.43 times. The ratio to that, the ideal at this share of refusals, is printed as well.
 *
 * The application edits single rows. A statement over many rows goes through the other lane: a row with marks in both is
 * sent from both, whoever refuses what, and that is not to be measured here.
 */
export const refused: Row = {
  name: 'refused',
  about: `30 % of the items refused with 429 and 503 for --seconds: 0 dead letters, at most ${MOST_SENDS} times the ideal number of sends`,
  defaults: { seconds: 300 },
  run: async ({ seconds, random, say, closing, program }) => {
    let refuse: () => Fault | null = () => null
    const sends = new Sends()
    const world = await openArticles({
      name: 'refused',
      say,
      closing,
      program,
      daemons: 2,
      documents: 6,
      // A request that is refused as a whole shall not weigh too much.
      limits: { batchSize: 200 },
      before: async (elasticsearch) => {
        const proxy = await startFaultProxy(elasticsearch)
        closing.defer(() => proxy.close())
        proxy.break('/_bulk', () => refuse())
        // Before the proxy, so that it sees what the daemons send and are told.
        const observer = await startObserver(proxy.url, (exchange) => sends.observe(exchange))
        closing.defer(() => observer.close())
        return observer.url
      },
    })
    const writes = startSteadyWrites(world.postgres.url, WRITES_A_SECOND, { wide: false })
    closing.defer(() => writes.stop())
    await delay(Math.min(2_000, seconds * 100))
    say(`${SHARE * 100} % of the items are refused, for ${seconds} s`)
    sends.begin()
    const below = () => sends.counts.refused < (SHARE - 0.01) * sends.counts.sent
    refuse = () => (below() && random.chance(WHOLE) ? wholeRefusal(random) : itemRefusals(random))
    for (let left = seconds; left > 0; left -= 10) {
      await delay(Math.min(10, left) * 1_000)
      say(`${sends.counts.sent} operations sent, ${sends.counts.refused} refused`)
    }
    refuse = () => null
    const counts = { ...sends.counts }
    const behindMs = await oldestMarkMs(world.pool)
    say('nothing is refused any more')

    const { sent, needed } = counts
    const share = counts.refused / sent
    const timesIdeal = sent / needed
    const timesIdealAtShare = timesIdeal * (1 - share)
    const more = [
      ...(Number.isFinite(timesIdeal) ? [] : ['nothing was accepted']),
      ...(timesIdeal > MOST_SENDS ? [`${timesIdeal.toFixed(3)} times the ideal number of sends`] : []),
    ]
    const concluded = await conclude(world, { writes, more, say })
    const round = (value: number) => Math.round(value * 1000) / 1000
    const ratios = {
      share: round(share),
      timesIdeal: round(timesIdeal),
      timesIdealAtShare: round(timesIdealAtShare),
    }
    return {
      figures: { seconds, ...counts, ...ratios, behindMs, ...concluded.figures },
      problems: concluded.problems,
    }
  },
}

/** How far behind the daemons are. */
async function oldestMarkMs(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ ms: number }>(
    `SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)) * 1000, 0)::integer AS ms
       FROM sluice.sync_queue`,
  )
  return rows[0]?.ms ?? 0
}

/** Of a request's items, each by itself. */
export function itemRefusals(random: Random): Fault {
  return {
    kind: 'refuse-items',
    refusal: () => (random.chance(SINGLE) ? random.pick([busy, busy, broken, unavailable]) : null),
  }
}

function wholeRefusal(random: Random): Fault {
  return random.chance(0.5) ? page503 : refusalOf(random.pick([busy, broken]))
}

/** Counts what is sent, and what became of it. */
class Sends {
  /** `needed`: accepted, and changed what the index holds; `superseded`: lost against a newer version. */
  readonly counts = { requests: 0, sent: 0, refused: 0, needed: 0, unchanged: 0, superseded: 0, others: 0 }
  /** What the indices hold, by index and id: a hash of the document's text, or that there is none. */
  readonly #held = new Map<string, string>()

  /** Counts from now on; what the indices hold is known from before. */
  begin(): void {
    for (const name of Object.keys(this.counts) as (keyof Sends['counts'])[]) this.counts[name] = 0
  }

  observe({ body, status, answer }: BulkExchange): void {
    const operations = [...operationsOf(body)]
    this.counts.requests += 1
    this.counts.sent += operations.length
    if (status !== 200) {
      this.counts.refused += operations.length
      return
    }
    const { items } = JSON.parse(answer) as { items: readonly Record<string, { status: number }>[] }
    operations.forEach(({ kind, index, id, document }, n) => {
      const at = `${index} ${id}`
      const state = document === null ? 'none' : createHash('sha1').update(document).digest('base64')
      switch (items[n]?.[kind]?.status) {
        case 429:
        case 503:
          this.counts.refused += 1
          return
        case 409:
          this.counts.superseded += 1
          return
        case 404:
        case 200:
        case 201:
          this.counts[this.#held.get(at) === state ? 'unchanged' : 'needed'] += 1
          this.#held.set(at, state)
          return
        default:
          this.counts.others += 1
      }
    })
  }
}
