import { readdirSync, readFileSync } from 'node:fs'
import { processTree } from '../support/servers/processes.ts'

/** What Linux says about a process: /proc/<pid>. */

/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100

/** Seconds of processor time that a process has used, user and system; null when it is gone. */
export function cpuSeconds(pid: number): number | null {
  const times = readTimes(pid)
  return times === null ? null : (times.own[0] + times.own[1]) / TICKS_A_SECOND
}

/** The same for a process and all that descend from it, those that have ended included. */
export function treeCpuSeconds(root: number): number {
  const ticks = processTree(root)
    .map((pid) => readTimes(pid))
    .flatMap((times) => (times === null ? [] : [...times.own, ...times.ended]))
  return ticks.reduce((sum, some) => sum + some, 0) / TICKS_A_SECOND
}

interface Times {
  readonly own: readonly [user: number, system: number]
  /** Of children that have ended and were waited for. */
  readonly ended: readonly [user: number, system: number]
}

function readTimes(pid: number): Times | null {
  const text = read(`/proc/${pid}/stat`)
  if (text === null) return null
  // The name in parentheses may hold spaces; utime to cstime are the 12th to 15th field behind it.
  const [utime, stime, cutime, cstime] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number)
  return { own: [utime ?? 0, stime ?? 0], ended: [cutime ?? 0, cstime ?? 0] }
}

export interface Memory {
  /** Resident megabytes (10^6 bytes) now, and at most since the process began. */
  readonly now: number
  readonly peak: number
}

export function memory(pid: number): Memory {
  const text = read(`/proc/${pid}/status`) ?? ''
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1])
  return { now: (kilobytes('VmRSS') * 1024) / 1e6, peak: (kilobytes('VmHWM') * 1024) / 1e6 }
}

/** Open file descriptors; null when it is gone. */
export function openHandles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return null
  }
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
