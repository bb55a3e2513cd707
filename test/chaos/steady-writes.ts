import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { isConnectionError } from '../../src/postgres/connect.ts'
import { percentile, rounded } from '../bench/statistics.ts'

/** An application that writes at a steady rate whatever becomes of it, and measures how long its writes take. */
export interface SteadyWrites {
  readonly count: number
  /** Writes that failed; each is one too many. */
  readonly failed: number
  /** Writes that Postgres could not serve, where it is allowed to be away. */
  readonly interrupted: number
  /** Their errors, each once. */
  readonly errors: readonly string[]
  /** From now on, writes count for this phase. */
  begin(phase: string): void
  /** Milliseconds from the write's turn to its answer. */
  latency(phase: string): Latency
  /** Lets the writes under way end. */
  stop(): Promise<void>
}

export interface Latency {
  readonly writes: number
  readonly p50: number
  readonly p99: number
}

/** Rows that are there before; they are numbered from 1. */
const FIRST_ROWS = 5_000

export const articles = `
  CREATE TABLE article (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, stock integer NOT NULL DEFAULT 0);
  INSERT INTO article SELECT n, 'article ' || n, repeat('some text of article ' || n || ' ', 20), 0 FROM generate_series(1, ${FIRST_ROWS}) n;
`

/** A prime, so that a row is not written again before most others were. */
const STRIDE = 7919

/** The nth write: mostly an edit of one row; new rows, rows that go, and now and then a statement over two hundred. */
function write(
  n: number,
  { wide = true, again = 0 }: SteadyOptions,
): { readonly text: string; readonly values: readonly unknown[] } {
  const turn = again > 0 && n % 2 === 1 ? Math.max(0, n - again) : n
  const id = 1 + ((turn * STRIDE) % FIRST_ROWS)
  if (wide && n % 50 === 49) {
    return { text: 'UPDATE article SET stock = stock + 1 WHERE id BETWEEN $1 AND $1 + 199', values: [id] }
  }
  switch (n % 10) {
    case 3:
      return {
        text: `INSERT INTO article VALUES ($1, 'new', 'once more', $2) ON CONFLICT (id) DO UPDATE SET stock = excluded.stock`,
        values: [id, n],
      }
    case 6:
      return { text: 'DELETE FROM article WHERE id = $1', values: [id] }
    case 7:
      return { text: `INSERT INTO article VALUES ($1, 'new', 'of late')`, values: [FIRST_ROWS + 1 + n] }
    default:
      return {
        text: `UPDATE article SET title = 'edit ' || $2::bigint, stock = $2::bigint WHERE id = $1`,
        values: [id, n],
      }
  }
}

interface SteadyOptions {
  /** Postgres is restarted meanwhile; what it does not serve for that is no failure. Default: it is there. */
  readonly mayBeAway?: boolean
  /** With statements over two hundred rows; default: yes. */
  readonly wide?: boolean
  /**
   * Every second write is to the row that was written so many writes before, an odd number. Default: a row is not written
   * again for long, and what an earlier state of it might do to a later one is not to be seen.
   */
  readonly again?: number
}

export function startSteadyWrites(url: string, perSecond: number, options: SteadyOptions = {}): SteadyWrites {
  const pool = new pg.Pool({ connectionString: url, max: 8, application_name: 'the application' })
  pool.on('error', () => {})
  const latencies = new Map<string, number[]>()
  const errors = new Map<string, string>()
  const under = new Set<Promise<void>>()
  let phase = 'warm-up'
  let count = 0
  let failed = 0
  let interrupted = 0
  let stopped = false

  const one = async (n: number) => {
    const began = performance.now()
    const into = latencies.get(phase)
    const { text, values } = write(n, options)
    try {
      await pool.query(text, [...values])
      into?.push(performance.now() - began)
    } catch (error) {
      if (options.mayBeAway === true && isConnectionError(error)) {
        interrupted += 1
        return
      }
      const message = error instanceof Error ? error.message : String(error)
      failed += 1
      errors.set(message, `${message} (${text})`)
    }
  }
  const writing = (async () => {
    const begun = performance.now()
    while (!stopped) {
      for (; count < ((performance.now() - begun) / 1000) * perSecond; count++) {
        const running: Promise<void> = one(count).finally(() => under.delete(running))
        under.add(running)
      }
      await delay(2)
    }
    await Promise.all(under)
    await pool.end()
  })()

  return {
    get count() {
      return count
    },
    get failed() {
      return failed
    },
    get interrupted() {
      return interrupted
    },
    get errors() {
      return [...errors.values()]
    },
    begin: (name) => {
      phase = name
      latencies.set(name, latencies.get(name) ?? [])
    },
    latency: (name) => {
      const taken = latencies.get(name) ?? []
      const at = (share: number) => rounded(percentile(taken, share))
      return { writes: taken.length, p50: at(0.5), p99: at(0.99) }
    },
    stop: () => {
      stopped = true
      return writing
    },
  }
}
