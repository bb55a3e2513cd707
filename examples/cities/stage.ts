import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { styleText } from 'node:util'

const PROJECT = join(import.meta.dirname, '../..')
const MAIN = join(PROJECT, 'src/cli/main.ts')
const CONFIG = join(import.meta.dirname, 'sluice.config.ts')

export interface Stage {
  /** Runs a sluice command before the reader's eyes; returns its exit code. */
  command(...args: readonly string[]): Promise<number>
  /** Starts the daemon, and starts it again whenever it is killed. */
  startDaemon(): void
  /** Process id of the daemon that runs now. */
  daemonPid(): number | undefined
  stopDaemon(): Promise<void>
}

/** The demo's stage: commands and a daemon, as processes of their own, on these servers. */
export function openStage(servers: {
  readonly postgresUrl: string
  readonly elasticsearchUrl: string
}): Stage {
  const env = {
    ...process.env,
    DATABASE_URL: servers.postgresUrl,
    ELASTICSEARCH_URL: servers.elasticsearchUrl,
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
  }
  const start = (args: readonly string[]) =>
    spawn(process.execPath, [MAIN, ...args, '--config', CONFIG], {
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  let daemon: ChildProcess | undefined
  let wanted = false

  const keepDaemon = () => {
    daemon = start(['run'])
    say(
      `the daemon runs as process ${daemon.pid} (kill -9 it, if you like: it is started again, and nothing is lost)`,
    )
    daemon.once('exit', (code, signal) => {
      if (!wanted) return
      say(`the daemon has ended (${signal ?? `exit code ${code}`}) and is started again`)
      keepDaemon()
    })
  }

  return {
    command: async (...args) => {
      process.stdout.write(`\n${styleText('bold', `$ sluice ${args.join(' ')}`)}\n`)
      const [code] = await once(start(args), 'exit')
      return typeof code === 'number' ? code : 1
    },
    startDaemon: () => {
      process.stdout.write(`\n${styleText('bold', '$ sluice run &')}\n`)
      wanted = true
      keepDaemon()
    },
    daemonPid: () => daemon?.pid,
    stopDaemon: async () => {
      wanted = false
      if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return
      const ended = once(daemon, 'exit')
      daemon.kill('SIGTERM')
      await ended
    },
  }
}

/** A line of the demo's own. */
export function say(text: string): void {
  process.stdout.write(`${styleText('cyan', '›')} ${text}\n`)
}
