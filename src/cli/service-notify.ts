import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Logger } from 'pino'
import { describeError } from '../errors.ts'
import type { DaemonOptions } from '../sync/daemon-options.ts'
import type { DaemonState } from '../sync/types.ts'

/** What the daemon's life is told to: systemd (Type=notify), a process manager that waits for `ready` (pm2), or nobody. */
export interface ServiceNotify {
  /** To be given to the daemon. */
  readonly hooks: Required<Pick<DaemonOptions, 'onState' | 'onLook'>>
  /** Resolves when all that has happened so far has been told. */
  told(): Promise<void>
  /** Ends the timer; resolves when all has been told. */
  close(): Promise<void>
}

interface ServiceOptions {
  /** NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are systemd's (sd_notify(3), sd_watchdog_enabled(3)). */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Logger
  /** Milliseconds that draining may take. */
  readonly shutdownTimeout: number
  /** Tells the parent process, where it listens; default: by Node's IPC channel, if there is one. */
  readonly tellParent?: (message: string) => void
}

/** How often a start that waits for a server is prolonged, where systemd gave no interval for a watchdog. */
const PROLONG_EVERY_MS = 20_000

/** Beyond SHUTDOWN_TIMEOUT: what is cut off then has to roll back, and the last words to be written. */
const FAREWELL_MS = 15_000

/**
 * READY=1 when the daemon works for the first time: it has joined the database, and Elasticsearch is not known to be away.
 * Until then, each attempt to join that ended prolongs the start (EXTEND_TIMEOUT_USEC), for it may wait for a server as
 * long as that takes. WATCHDOG=1 only if the daemon has looked at its queue, or tried to join, since the one before:
 * a timer alone would vouch for a daemon whose connection is silent. While it waits for a server that is away it goes on
 * trying, so no outage has it restarted.
 */
export function serviceNotify(options: ServiceOptions): ServiceNotify {
  const { env, log, shutdownTimeout, tellParent = toParent } = options
  const systemd = env.NOTIFY_SOCKET ? systemdNotify(env, log) : undefined
  const watchdogMs = systemd === undefined ? 0 : watchdogIn(env)
  const everyMs = watchdogMs > 0 ? watchdogMs / 3 : PROLONG_EVERY_MS
  let ready = false
  let draining = false
  let looked = false
  let shown = ''

  const onState = (state: DaemonState) => {
    const messages: string[] = []
    if (state.state === 'running' && !ready) {
      ready = true
      messages.push('READY=1')
      tellParent('ready')
    }
    if (state.state === 'draining' && !draining) {
      draining = true
      messages.push('STOPPING=1', `EXTEND_TIMEOUT_USEC=${microseconds(shutdownTimeout + FAREWELL_MS)}`)
    }
    const status = statusOf(state)
    if (status === shown) return
    shown = status
    void systemd?.tell([...messages, `STATUS=${status}`])
  }
  const onLook = (state: DaemonState) => {
    looked = true
    onState(state)
  }
  let telling = false
  const timer =
    systemd &&
    setInterval(() => {
      // While it drains nobody looks at the queue; that is bounded by TimeoutStopSec.
      if (telling || (!looked && !draining)) return
      looked = false
      const message = ready ? 'WATCHDOG=1' : `EXTEND_TIMEOUT_USEC=${microseconds(3 * everyMs)}`
      if (ready && watchdogMs === 0) return
      // Where a message takes longer than the interval, none piles up behind it: it would speak for a later time.
      telling = true
      void systemd.tell([message]).finally(() => {
        telling = false
      })
    }, everyMs)
  const told = async () => {
    await systemd?.told()
  }
  return {
    hooks: { onState, onLook },
    told,
    close: async () => {
      clearInterval(timer)
      await told()
    },
  }
}

/** What `systemctl status` shows: a line. */
function statusOf({ state, reason }: DaemonState): string {
  const text = reason === null ? state : `${state}: ${reason}`
  return text.replaceAll(/\s+/g, ' ')
}

/** Milliseconds, 0 where there is no watchdog, or it is another process's. */
function watchdogIn({ WATCHDOG_USEC, WATCHDOG_PID }: ServiceOptions['env']): number {
  const other = WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)
  return other || WATCHDOG_USEC === undefined || !/^\d+$/.test(WATCHDOG_USEC)
    ? 0
    : Number(WATCHDOG_USEC) / 1000
}

function microseconds(ms: number): number {
  return Math.round(ms * 1000)
}

interface Systemd {
  /** Resolves when it has been sent, or could not be. */
  tell(message: readonly string[]): Promise<void>
  /** Resolves when all messages have been sent. */
  told(): Promise<void>
}

/**
 * Node opens no unix datagram sockets, so systemd's own program sends each message. It waits until systemd has read it, or
 * the message could not be told from a stranger's; as a child's it is heard with NotifyAccess=all alone. A failure is
 * logged once; the next message is sent all the same.
 */
function systemdNotify(env: ServiceOptions['env'], log: Logger): Systemd {
  const run = promisify(execFile)
  let last = Promise.resolve()
  let failed = false
  const send = async (message: readonly string[]) => {
    try {
      const { PATH, NOTIFY_SOCKET } = env
      await run('systemd-notify', [...message], { env: { PATH, NOTIFY_SOCKET }, timeout: 10_000 })
      failed = false
    } catch (error) {
      if (!failed) log.warn({ reason: describeError(error) }, 'systemd cannot be told')
      failed = true
    }
  }
  return {
    // One after the other: systemd has to hear them in this order.
    tell: (message) => {
      last = last.then(() => send(message))
      return last
    },
    told: () => last,
  }
}

/** The callback takes the error of a parent that is gone; without one it would end this process. */
function toParent(message: string): void {
  if (process.send !== undefined && process.connected) process.send(message, undefined, undefined, () => {})
}
