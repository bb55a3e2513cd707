import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FailedError } from '../../../src/errors.ts'
import { handOver, serverAccount } from './account.ts'
import { guardDirectory } from './guard.ts'
import { freePort } from './ports.ts'
import { isAlive, processTree, signal } from './processes.ts'

/** A server that runs for as long as this process does, at most. Everything of it is in one temporary directory. */
export interface Server {
  readonly url: string
  readonly port: number
  /** Of the process that was started last (Postgres: the postmaster). */
  readonly pid: number
  /** Holds its data, configuration and log. */
  readonly directory: string
  /** Ends it and removes its directory; resolves when both are gone. May be called more than once. */
  stop(): Promise<void>
  /**
   * SIGKILL, SIGSTOP and SIGCONT go to all its processes at once; after SIGKILL it resolves when they are gone.
   * Any other signal goes to its first process.
   */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Starts it again after `kill('SIGKILL')`, on the same port and data. */
  start(): Promise<void>
  /** Shutdown by this signal (default: the orderly one), wait for its end, then `start()`. */
  restart(signal?: NodeJS.Signals): Promise<void>
  /** The last lines of its log. */
  logTail(lines?: number): string
}

/** What is particular to one kind of server. */
export interface ServerProgram {
  /** As in messages and in the directory's name. */
  readonly name: string
  /** Fills the directory, which the server's account owns; called once. */
  readonly prepare: (directory: string) => Promise<void>
  /** Called for each start. */
  readonly command: (directory: string, port: number) => Command | Promise<Command>
  readonly url: (port: number) => string
  /**
   * Whether it serves requests; a rejection counts as no. It has to ask for the directory: another server that took
   * the port a moment before us would answer as well.
   */
  readonly isReady: (url: string, directory: string) => Promise<boolean>
  readonly orderlySignal: NodeJS.Signals
  /** For the end, when the data is thrown away: the fastest signal that leaves nothing behind. */
  readonly lastSignal: 'SIGQUIT' | 'SIGKILL'
  readonly startTimeoutMs: number
}

export interface Command {
  readonly file: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const portTaken = /address already in use|BindException|BindHttpException/i

/** Starts a server on a free port. Rejects with its log's last lines when it does not come up. */
export async function startServer(program: ServerProgram): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), `sluice-${program.name.toLowerCase()}-`))
  const guard = guardDirectory(directory, program.lastSignal)
  const logFile = join(directory, 'server.log')
  let leader = 0
  let reaped: Promise<unknown> = Promise.resolve()
  let port = 0
  let stopping: Promise<void> | undefined

  const log = () => readFileSync(logFile, 'utf8').trimEnd()
  const logTail = (lines = 30) => log().split('\n').slice(-lines).join('\n')

  const launch = async () => {
    const { file, args, env } = await program.command(directory, port)
    const output = openSync(logFile, 'a')
    const child = spawn(file, args ?? [], {
      cwd: directory,
      detached: true,
      // Nothing of ours (PGDATA, JAVA_TOOL_OPTIONS, credentials) shall reach it.
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LANG: 'C.UTF-8', HOME: directory, ...env },
      stdio: ['ignore', output, output],
      ...serverAccount,
    })
    const refused = once(child, 'error')
    closeSync(output)
    if (child.pid === undefined) throw new FailedError(`${file} does not run`, { cause: (await refused)[0] })
    const pid = child.pid
    guard.watch(pid)
    // A zombie still has its number, and Postgres does not start where that of its lock file is taken.
    reaped = once(child, 'exit').catch(() => undefined)
    child.once('exit', () => {
      // Only when the whole group is gone: Elasticsearch's launcher may die before the server does.
      if (pid === leader && !groupIsAlive(pid)) guard.watch(null)
    })
    child.unref()
    leader = pid
  }

  const untilReady = async () => {
    const deadline = Date.now() + program.startTimeoutMs
    while (!(await program.isReady(program.url(port), directory).catch(() => false))) {
      if (!isAlive(leader)) throw new FailedError(`${program.name} ended while starting:\n${logTail()}`)
      if (Date.now() > deadline) {
        throw new FailedError(
          `${program.name} was not ready after ${program.startTimeoutMs / 1000} s:\n${logTail()}`,
        )
      }
      await delay(50)
    }
  }

  const start = async () => {
    await launch()
    await untilReady()
  }

  const kill = async (name: NodeJS.Signals) => {
    if (name !== 'SIGKILL' && name !== 'SIGSTOP' && name !== 'SIGCONT') return signal(leader, name)
    // Stopped first, so that it cannot fork between the count and the blow.
    if (name !== 'SIGCONT') signal(leader, 'SIGSTOP')
    const tree = processTree(leader)
    for (const pid of tree) signal(pid, name)
    if (name !== 'SIGKILL') return
    await untilGone(tree)
    await reaped
  }

  const restart = async (name = program.orderlySignal) => {
    const tree = processTree(leader)
    signal(leader, name)
    await untilGone(tree)
    await reaped
    await start()
  }

  const startSomewhere = async () => {
    for (let attempt = 1; ; attempt++) {
      port = await freePort()
      await writeFile(logFile, '')
      try {
        return await start()
      } catch (error) {
        if (attempt === 5 || isAlive(leader) || !portTaken.test(log())) throw error
      }
    }
  }

  const stop = () => {
    stopping ??= guard.end()
    return stopping
  }

  try {
    await handOver(directory)
    await program.prepare(directory)
    await startSomewhere()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    directory,
    get url() {
      return program.url(port)
    },
    get port() {
      return port
    },
    get pid() {
      return leader
    },
    stop,
    kill,
    start,
    restart,
    logTail,
  }
}

async function untilGone(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + 30_000
  while (pids.some(isAlive)) {
    if (Date.now() > deadline)
      throw new FailedError(`still alive after 30 s: processes ${pids.filter(isAlive).join(', ')}`)
    await delay(10)
  }
}

function groupIsAlive(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch {
    return false
  }
}
