import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Arrivals } from './arrivals.ts'

export interface EditsOptions {
  readonly url: string
  /** Told of each change, and waited for; null: changes are made, and nobody follows them. */
  readonly arrivals: Arrivals | null
  /** Rows to edit: ids from `first` on. */
  readonly first: number
  readonly rows: number
  /** Single-row transactions a second. */
  readonly rate: number
  /** Continued for this long, and until `until` holds where it is given. */
  readonly seconds: number
  readonly until?: () => boolean
}

export interface Edits {
  readonly count: number
  /** Changes a second that were really committed. */
  readonly rate: number
}

/** A prime, so that a row is not edited again before all others were. */
const STRIDE = 7919

const CONNECTIONS = 8

/** Sequence numbers go on from one call to the next: rows keep theirs. */
let sequence = 0

/**
 * An application that edits one row at a time, at a steady rate whatever becomes of it (an open loop: a slow answer
 * does not thin out the changes behind it). Returns when every change that is followed has arrived in Elasticsearch.
 */
export async function edit({
  url,
  arrivals,
  first,
  rows,
  rate,
  seconds,
  until,
}: EditsOptions): Promise<Edits> {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, application_name: 'bench edits' })
  pool.on('error', () => {})
  const editOne = async (n: number): Promise<void> => {
    const id = first + ((n * STRIDE) % rows)
    sequence += 1
    const committed = arrivals?.expect(String(id), sequence)
    await pool.query({
      name: 'edit',
      text: 'UPDATE article SET seq = $1, stock = stock + 1, title = title WHERE id = $2',
      values: [sequence, id],
    })
    committed?.(performance.now())
  }
  try {
    const under = new Set<Promise<void>>()
    // Woken a thousand times a second, this process takes a twentieth of a core from what is measured.
    const tickMs = Math.max(1, 200 / rate)
    const began = performance.now()
    let count = 0
    for (;;) {
      const elapsed = (performance.now() - began) / 1000
      if (elapsed >= seconds && until?.() !== false) break
      for (; count < elapsed * rate; count++) {
        const running = editOne(count).finally(() => under.delete(running))
        under.add(running)
      }
      await delay(tickMs)
    }
    await Promise.all(under)
    const reached = (count * 1000) / (performance.now() - began)
    if (arrivals !== null) await arrived(arrivals)
    return { count, rate: reached }
  } finally {
    await pool.end()
  }
}

async function arrived(arrivals: Arrivals): Promise<void> {
  const deadline = performance.now() + 120_000
  while (arrivals.outstanding > 0) {
    if (performance.now() > deadline)
      throw new Error(`${arrivals.outstanding} changes have not arrived in two minutes`)
    await delay(10)
  }
}
