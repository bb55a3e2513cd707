import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { memory, openHandles } from '../bench/process-figures.ts'

/** What a daemon that lives through all of it comes to take, and the queue with it. */
export interface Growth {
  /** Megabytes an hour, by least squares over what comes after the first third; null: too few looks at one life. */
  readonly memorySlopeMbPerHour: number | null
  readonly memoryPeakMb: number
  /** Open file descriptors, least and most after the first third. */
  readonly handles: readonly [least: number, most: number]
  /** The queue with its indexes: most, and in the end, megabytes. */
  readonly queuePeakMb: number
  readonly queueEndMb: number
}

const EVERY_MS = 2_000

interface Look {
  readonly atMs: number
  readonly memoryMb: number
  readonly handles: number
}

/** Looks at a process every two seconds until it is stopped. */
export function watchGrowth(pid: number, pool: pg.Pool): { stop(): Promise<Growth> } {
  const stopping = new AbortController()
  const looks: Look[] = []
  let queuePeak = 0
  let queueEnd = 0
  const ended = (async () => {
    const began = performance.now()
    while (!stopping.signal.aborted) {
      const handles = openHandles(pid)
      if (handles !== null)
        looks.push({ atMs: performance.now() - began, memoryMb: memory(pid).now, handles })
      queueEnd = await queueMegabytes(pool).catch(() => queueEnd)
      queuePeak = Math.max(queuePeak, queueEnd)
      await delay(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await ended
      const warm = looks.slice(Math.ceil(looks.length / 3))
      const all = warm.map(({ handles }) => handles)
      return {
        memorySlopeMbPerHour: slope(warm),
        memoryPeakMb: rounded(Math.max(0, ...looks.map(({ memoryMb }) => memoryMb))),
        handles: [Math.min(...all), Math.max(...all)],
        queuePeakMb: rounded(queuePeak),
        queueEndMb: rounded(queueEnd),
      }
    },
  }
}

async function queueMegabytes(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>(
    `SELECT pg_total_relation_size('sluice.sync_queue') AS bytes`,
  )
  return Number(rows[0]?.bytes ?? 0) / 1e6
}

/** Least squares: sum of (x - x̄)(y - ȳ) over sum of (x - x̄)². */
function slope(looks: readonly Look[]): number | null {
  if (looks.length < 10) return null
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(looks.map(({ atMs }) => atMs))
  const y = mean(looks.map(({ memoryMb }) => memoryMb))
  const above = looks.reduce((sum, { atMs, memoryMb }) => sum + (atMs - x) * (memoryMb - y), 0)
  const below = looks.reduce((sum, { atMs }) => sum + (atMs - x) ** 2, 0)
  return rounded((above / below) * 3_600_000)
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
