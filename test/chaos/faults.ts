import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresServer, Server } from '../support/servers/index.ts'
import type { Daemons } from './daemons.ts'
import type { Random } from './random.ts'
import type { Workload } from './workload.ts'

export interface Victims {
  readonly daemons: Daemons
  readonly postgres: PostgresServer
  readonly elasticsearch: Server
  readonly workload: Workload
  readonly say: (text: string) => void
}

export interface Faults {
  /** Daemons killed. */
  readonly kills: number
  /** Daemons stopped for a while: whatever they were about to do, they do late. */
  readonly stops: number
  readonly postgresRestarts: number
  readonly elasticsearchRestarts: number
  /** Elasticsearch stopped for a while: requests time out, and are applied all the same. */
  readonly elasticsearchStops: number
  /** The servers are left alone; resolves when they are up. */
  healServers(): Promise<void>
  /** The daemons, too; resolves when all of them run. */
  healDaemons(): Promise<void>
}

/**
 * Four kinds of faults, each at its own pace.
 *
 * @param firstRestart milliseconds until Elasticsearch is killed for the first time: its start takes a good part of a short test
 */
export function startFaults(victims: Victims, random: Random, firstRestart: number): Faults {
  const { daemons, postgres, elasticsearch, workload, say } = victims
  const healingServers = new AbortController()
  const healingDaemons = new AbortController()
  const counts = { kills: 0, stops: 0, postgresRestarts: 0, elasticsearchRestarts: 0, elasticsearchStops: 0 }
  /** Waits, until it heals. Past that no round begins another fault, and each ends the one it has begun. */
  type Pause = (ms: number) => Promise<void>
  const forever = async (
    name: string,
    { signal }: AbortController,
    round: (choices: Random, pause: Pause) => Promise<void>,
  ) => {
    const choices = random.fork(name)
    const pause: Pause = (ms) => delay(ms, undefined, { signal }).catch(() => undefined)
    while (!signal.aborted) await round(choices, pause)
  }

  const kill = async (choices: Random, pause: Pause) => {
    await pause(choices.int(1_500, 2_500))
    if (healingDaemons.signal.aborted) return
    const n = choices.int(0, daemons.count - 1)
    say(`kill -9 daemon ${n + 1}`)
    await daemons.kill(n)
    counts.kills += 1
    await pause(choices.int(0, 500))
    daemons.start(n)
  }

  const stop = async (choices: Random, pause: Pause) => {
    await pause(choices.int(5, 150))
    const n = choices.int(0, daemons.count - 1)
    daemons.signal(n, 'SIGSTOP')
    counts.stops += 1
    const long = choices.next()
    await pause(
      long < 0.5 ? choices.int(5, 60) : long < 0.95 ? choices.int(60, 500) : choices.int(1_000, 3_000),
    )
    daemons.signal(n, 'SIGCONT')
  }

  const crashPostgres = async (choices: Random, pause: Pause) => {
    await pause(choices.int(4_000, 9_000))
    if (healingServers.signal.aborted) return
    // Now and then all that the application did last is lost, though it was told otherwise: what the index got of
    // that must not survive.
    workload.asynchronous = choices.chance(0.7)
    await pause(choices.int(100, 1_500))
    say(`Postgres crashes${workload.asynchronous ? ', and loses its last commits' : ''}`)
    await postgres.crash()
    workload.asynchronous = false
    counts.postgresRestarts += 1
  }

  let nextRestart = performance.now() + firstRestart
  const disturbElasticsearch = async (choices: Random, pause: Pause) => {
    await pause(choices.int(2_000, 5_000))
    if (healingServers.signal.aborted) return
    if (performance.now() < nextRestart) {
      await elasticsearch.kill('SIGSTOP')
      counts.elasticsearchStops += 1
      await pause(choices.int(200, 5_000))
      await elasticsearch.kill('SIGCONT')
      return
    }
    say('kill -9 Elasticsearch')
    await elasticsearch.kill('SIGKILL')
    await pause(choices.int(0, 2_000))
    await elasticsearch.start()
    say('Elasticsearch is back')
    counts.elasticsearchRestarts += 1
    nextRestart = performance.now() + choices.int(20_000, 40_000)
  }

  const servers = Promise.all([
    forever('Postgres', healingServers, crashPostgres),
    forever('Elasticsearch', healingServers, disturbElasticsearch),
  ])
  const processes = Promise.all([
    forever('kill', healingDaemons, kill),
    // Three of the four may be late at once.
    forever('stop 1', healingDaemons, stop),
    forever('stop 2', healingDaemons, stop),
    forever('stop 3', healingDaemons, stop),
  ])
  // Whoever heals is told; nobody is there to listen before.
  for (const faults of [servers, processes]) faults.catch(() => undefined)
  return Object.assign(counts, {
    healServers: async () => {
      healingServers.abort()
      await servers
    },
    healDaemons: async () => {
      healingDaemons.abort()
      await processes
      daemons.startAll()
    },
  })
}
