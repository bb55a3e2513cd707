import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Guard, guardDirectory } from '../support/servers/guard.ts'
import { signal } from '../support/servers/processes.ts'

export interface DaemonsOptions {
  /** Path of the program's command: `src/cli/main.ts` of the project or of a mutant, or what is built of them. */
  readonly main: string
  readonly config: string
  /** Where each daemon's log goes, all its lives in one file. */
  readonly logs: string
  readonly count: number
  readonly environment: NodeJS.ProcessEnv
  /** Begins their instance names and the names of their logs; default: daemon. */
  readonly name?: string
}

/** Daemons as processes of their own, which are killed, stopped and started again. */
export interface Daemons {
  readonly count: number
  /** Ends that nobody asked for: a daemon has to live through everything. */
  readonly failures: readonly string[]
  startAll(): void
  /** SIGKILL; resolves when it is gone. */
  kill(n: number): Promise<void>
  /** SIGTERM; resolves when it is gone. One that does not end within a minute is killed. Null: none is running. */
  terminate(n: number): Promise<Ending | null>
  start(n: number): void
  /** Whether it has started so far that it works on a document. */
  works(n: number): boolean
  pid(n: number): number | null
  /** SIGSTOP or SIGCONT. */
  signal(n: number, name: 'SIGSTOP' | 'SIGCONT'): void
  /** Kills all of them, for good. */
  end(): Promise<void>
}

export interface Ending {
  /** Its name in `sync_worker`. */
  readonly instance: string
  /** Null: killed. */
  readonly code: number | null
  /** From the signal to its end, milliseconds. */
  readonly ms: number
}

/** Twice as long as SHUTDOWN_TIMEOUT lets it take. */
const TERMINATION_MS = 60_000

interface Slot {
  readonly guard: Guard
  child: ChildProcess | null
  lives: number
  readonly log: string
  /** Size of the log at the beginning of this life. */
  logged: number
  works: boolean
}

export async function prepareDaemons({
  main,
  config,
  logs,
  count,
  environment,
  name: called = 'daemon',
}: DaemonsOptions): Promise<Daemons> {
  const failures: string[] = []
  const slots = await Promise.all(
    Array.from({ length: count }, async (_, n): Promise<Slot> => {
      // Ends the daemon when this process is gone, however that came about.
      const directory = await mkdtemp(join(tmpdir(), 'sluice-chaos-daemon-'))
      const log = join(logs, `${called}-${n + 1}.log`)
      return {
        guard: guardDirectory(directory, 'SIGKILL'),
        child: null,
        lives: 0,
        log,
        logged: 0,
        works: false,
      }
    }),
  )
  let ending = false

  const start = (n: number): void => {
    const slot = slots[n]
    if (slot === undefined || slot.child !== null || ending) return
    slot.lives += 1
    const output = openSync(slot.log, 'a')
    slot.logged = statSync(slot.log).size
    slot.works = false
    const child = spawn(process.execPath, [main, 'run', '--config', config], {
      cwd: logs,
      // A group of its own: Ctrl-C is for the chaos, which ends it.
      detached: true,
      env: { ...environment, SLUICE_INSTANCE: instanceOf(called, n, slot.lives) },
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    child.unref()
    slot.child = child
    if (child.pid !== undefined) slot.guard.watch(child.pid)
    child.once('exit', (code, name) => {
      if (slot.child !== child) return
      slot.child = null
      slot.guard.watch(null)
      if (ending) return
      failures.push(`daemon ${n + 1} ended by itself in life ${slot.lives}: ${name ?? `exit code ${code}`}`)
      start(n)
    })
  }

  return {
    count,
    failures,
    start,
    works: (n) => {
      const slot = slots[n]
      if (slot === undefined || slot.child === null) return false
      slot.works ||= readFileSync(slot.log).subarray(slot.logged).includes('document is worked on')
      return slot.works
    },
    startAll: () => {
      for (let n = 0; n < count; n++) start(n)
    },
    kill: async (n) => {
      const slot = slots[n]
      const child = slot?.child
      if (slot === undefined || child?.pid === undefined) return
      const gone = once(child, 'exit')
      slot.child = null
      signal(child.pid, 'SIGKILL')
      await gone
      slot.guard.watch(null)
    },
    terminate: async (n) => {
      const slot = slots[n]
      const child = slot?.child
      if (slot === undefined || child?.pid === undefined) return null
      const { pid } = child
      const gone = once(child, 'exit')
      slot.child = null
      const began = performance.now()
      signal(pid, 'SIGTERM')
      const patience = setTimeout(() => signal(pid, 'SIGKILL'), TERMINATION_MS)
      const [code] = (await gone) as [number | null]
      const ms = performance.now() - began
      clearTimeout(patience)
      slot.guard.watch(null)
      return { instance: instanceOf(called, n, slot.lives), code, ms }
    },
    pid: (n) => slots[n]?.child?.pid ?? null,
    signal: (n, name) => {
      const pid = slots[n]?.child?.pid
      if (pid !== undefined) signal(pid, name)
    },
    end: async () => {
      ending = true
      await Promise.all(slots.map(({ guard }) => guard.end()))
    },
  }
}

const instanceOf = (called: string, n: number, life: number) => `${called} ${n + 1}, life ${life}`

/** Nothing of ours (DATABASE_URL, limits) shall reach the program: the configuration says it all. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1' }
}
