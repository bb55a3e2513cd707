import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { fitLine, type Line } from '../bench/line.ts'
import { memory, openHandles } from '../bench/process-figures.ts'
import { median, percentile } from '../bench/statistics.ts'

/** What a daemon that lives through all of it comes to take, and the queue with it, once it is warm. */
export interface Growth {
  /** Without the time for warming up. */
  readonly hours: number
  /** Resident megabytes an hour, by least squares over its ceiling; null: it was too short. */
  readonly memorySlopeMbPerHour: number | null
  /** Standard error of the slope. */
  readonly memorySlopeError: number | null
  readonly memoryPeakMb: number
  /** What the line goes through, and the most of each stretch: for whoever wants to see it. */
  readonly memoryCeilingsMb: readonly number[]
  readonly memoryPeaksMb: readonly number[]
  /** Open file descriptors an hour, likewise, and the medians of the first and of the last quarter. */
  readonly handlesSlopePerHour: number | null
  readonly handlesSlopeError: number | null
  readonly handlesFirst: number
  readonly handlesLast: number
  /** The queue with its indexes, megabytes: at most in the first quarter, and at most after that. */
  readonly queueSteadyMb: number
  readonly queuePeakMb: number
}

const HOUR_MS = 3_600_000

/** What growth may be at most. */
interface GrowthLimits {
  readonly memoryMbPerHour: number
  /** More descriptors over the whole run: connections come and go. */
  readonly handles: number
  /** How often what it took in the first quarter the queue may take; null: it is told, and not judged. */
  readonly queueTimes: number | null
  /** Below this the queue's size says nothing: its tables and indexes have pages of their own. */
  readonly queueFloorMb: number
}

/** Of a soak, where the queue is as long as the longest fault has made it. */
const SOAK_LIMITS: GrowthLimits = { memoryMbPerHour: 1, handles: 4, queueTimes: null, queueFloorMb: 0 }

/** Of steady writes, where the queue is never long: whatever it takes beyond this is bloat. */
export const LOAD_LIMITS = { memoryMbPerHour: 1, handles: 2, queueTimes: 2, queueFloorMb: 0.5 } as const

export interface Look {
  readonly atMs: number
  readonly memoryMb: number
  readonly handles: number
  readonly queueMb: number
}

const EVERY_MS = 2_000

/** Share of the looks that is for warming up: caches, compiled code, the heap's first size. */
const WARM_UP = 0.2

/**
 * A garbage collector's teeth are no growth, and neighbouring looks see the same tooth: the line goes through the ceilings
 * of so many stretches (what the teeth reach, their ninetieth percentile), which owe little to each other. Their floors say
 * less: now and then glibc gives back what is free, and for that moment they are megabytes lower.
 */
const STRETCHES = 16

/** Looks at a process every two seconds until it is stopped; `warmUp` is a share of the looks. */
export function watchGrowth(pid: number, pool: pg.Pool, warmUp = WARM_UP): { stop(): Promise<Growth> } {
  const stopping = new AbortController()
  const looks: Look[] = []
  let queueMb = 0
  const ended = (async () => {
    const began = performance.now()
    while (!stopping.signal.aborted) {
      queueMb = await queueMegabytes(pool).catch(() => queueMb)
      const handles = openHandles(pid)
      if (handles !== null)
        looks.push({ atMs: performance.now() - began, memoryMb: memory(pid).now, handles, queueMb })
      await delay(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await ended
      return growthOf(looks, warmUp)
    },
  }
}

/** What the looks say. Pure. */
export function growthOf(looks: readonly Look[], warmUp = WARM_UP): Growth {
  const warm = looks.slice(Math.ceil(looks.length * warmUp))
  const quarter = Math.max(1, Math.floor(warm.length / 4))
  const [first, rest, last] = [warm.slice(0, quarter), warm.slice(quarter), warm.slice(-quarter)]
  const most = (some: readonly Look[], of: (look: Look) => number) => Math.max(0, ...some.map(of))
  const handles = (some: readonly Look[]) =>
    some.length === 0 ? 0 : median(some.map((look) => look.handles))
  const line = lineThrough(warm, ({ memoryMb }) => memoryMb)
  const files = lineThrough(warm, (look) => look.handles)
  return {
    memorySlopeMbPerHour: line === null ? null : rounded(line.slope),
    memorySlopeError: line === null ? null : rounded(line.error),
    memoryPeakMb: rounded(most(looks, ({ memoryMb }) => memoryMb)),
    memoryCeilingsMb: stretchesOf(warm).map((some) => rounded(ceiling(some, ({ memoryMb }) => memoryMb))),
    memoryPeaksMb: stretchesOf(warm).map((some) => rounded(most(some, ({ memoryMb }) => memoryMb))),
    handlesSlopePerHour: files === null ? null : rounded(files.slope),
    handlesSlopeError: files === null ? null : rounded(files.error),
    hours: rounded(((warm.at(-1)?.atMs ?? 0) - (warm[0]?.atMs ?? 0)) / HOUR_MS),
    handlesFirst: handles(first),
    handlesLast: handles(last),
    queueSteadyMb: rounded(most(first, ({ queueMb }) => queueMb)),
    queuePeakMb: rounded(most(rest, ({ queueMb }) => queueMb)),
  }
}

/** Each criterion that is not met. A slope is above its limit only where twice its error does not explain that. */
export function beyondLimits(growth: Growth, limits = SOAK_LIMITS): readonly string[] {
  const { memorySlopeMbPerHour: slope, memorySlopeError: error } = growth
  const { handlesSlopePerHour: files, handlesSlopeError: filesError } = growth
  const { queueTimes, queueFloorMb } = limits
  const most = queueTimes === null ? null : queueTimes * Math.max(growth.queueSteadyMb, queueFloorMb)
  return [
    ...(slope !== null && error !== null && slope - 2 * error > limits.memoryMbPerHour
      ? [`memory grows by ${slope} ± ${error} MB an hour`]
      : []),
    ...(files !== null && filesError !== null && (files - 2 * filesError) * growth.hours > limits.handles
      ? [`open files: ${growth.handlesFirst} at first, ${growth.handlesLast} in the end`]
      : []),
    ...(most !== null && growth.queuePeakMb > most
      ? [`the queue took ${growth.queuePeakMb} MB, after ${growth.queueSteadyMb} MB at first`]
      : []),
  ]
}

/** Whether the run was long enough to tell: null where it was not. */
export function memoryIsFlat(growth: Growth, limits = SOAK_LIMITS): boolean | null {
  const { memorySlopeMbPerHour: slope, memorySlopeError: error } = growth
  if (slope === null || error === null) return null
  if (slope + 2 * error <= limits.memoryMbPerHour) return true
  return slope - 2 * error > limits.memoryMbPerHour ? false : null
}

function lineThrough(looks: readonly Look[], of: (look: Look) => number): Line | null {
  const stretches = stretchesOf(looks)
  if (stretches.length === 0) return null
  const hours = (look: Look) => look.atMs / HOUR_MS
  return fitLine(stretches.map((some) => ({ x: median(some.map(hours)), y: ceiling(some, of) })))
}

/** None where there are too few looks. */
function stretchesOf(looks: readonly Look[]): readonly (readonly Look[])[] {
  if (looks.length < 2 * STRETCHES) return []
  const size = looks.length / STRETCHES
  return Array.from({ length: STRETCHES }, (_, n) =>
    looks.slice(Math.round(n * size), Math.round((n + 1) * size)),
  )
}

function ceiling(looks: readonly Look[], of: (look: Look) => number): number {
  return percentile(looks.map(of), 0.9)
}

async function queueMegabytes(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>(
    `SELECT pg_total_relation_size('sluice.sync_queue') AS bytes`,
  )
  return Number(rows[0]?.bytes ?? 0) / 1e6
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
