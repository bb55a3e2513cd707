import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { guardDirectory } from '../support/servers/guard.ts'

/** `sluice run` as a process of its own. */
export interface Daemon {
  readonly pid: number
  /** What it logged at level warn and above. */
  readonly complaints: readonly string[]
  /** SIGTERM, and its end. */
  stop(): Promise<void>
}

export interface DaemonOptions {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** How many documents it has to work on before it counts as started. */
  readonly documents: number
}

const START_TIMEOUT_MS = 60_000

/** Starts it and waits until it works on its documents: it claims within milliseconds of that. */
export async function startDaemon({ command, cwd, env, documents }: DaemonOptions): Promise<Daemon> {
  // Ends the daemon when this process is gone, however that came about: a group of its own, for Ctrl-C is ours alone.
  const guard = guardDirectory(await mkdtemp(join(tmpdir(), 'sluice-bench-daemon-')), 'SIGKILL')
  const child = spawn(process.execPath, command, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.pid !== undefined) guard.watch(child.pid)
  const ended = once(child, 'exit').then(() => {
    guard.watch(null)
    return guard.end()
  })
  const complaints: string[] = []
  const { pid } = child
  if (pid === undefined) throw new Error('the daemon does not run')

  let worked = 0
  const started = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { level, msg } = parseLine(line)
      if (level >= 40) complaints.push(line)
      if (msg === 'document is worked on') worked += 1
      if (worked >= documents) resolve()
    })
  })
  const timeout = new Promise<'timeout'>((resolve) =>
    setTimeout(resolve, START_TIMEOUT_MS, 'timeout').unref(),
  )
  const first = await Promise.race([started, timeout, ended.then(() => 'ended')])
  if (first !== undefined) {
    child.kill('SIGKILL')
    throw new Error(`the daemon did not start (${first}): ${complaints.join('\n')}`)
  }
  return {
    pid,
    complaints,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended
    },
  }
}

function parseLine(line: string): { readonly level: number; readonly msg: string } {
  try {
    const { level, msg } = JSON.parse(line) as { level?: number; msg?: string }
    return { level: level ?? 0, msg: msg ?? '' }
  } catch {
    return { level: 50, msg: line }
  }
}
