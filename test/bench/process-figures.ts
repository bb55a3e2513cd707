import { readFileSync } from 'node:fs'

/** What Linux says about a process: /proc/<pid>. */

/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100

/** Seconds of processor time that a process has used, user and system; null when it is gone. */
export function cpuSeconds(pid: number): number | null {
  const text = read(`/proc/${pid}/stat`)
  if (text === null) return null
  // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
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

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
