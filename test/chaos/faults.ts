import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { PostgresServer, Server } from '../support/servers/index.ts'
import type { Daemons } from './daemons.ts'
import { disturbNetwork, type Network } from './network.ts'
import type { Random } from './random.ts'
import type { Workload } from './workload.ts'

export interface Victims {
  readonly daemons: Daemons
  readonly postgres: PostgresServer
  readonly elasticsearch: Server
  readonly workload: Workload
  /** Between the daemons and their servers; null: nothing is, and the network is left alone. */
  readonly network: Network | null
  /** So many daemons, the last ones, are never killed: what grows in them can be seen. */
  readonly spared: number
  readonly say: (text: string) => void
}

export interface Faults {
  /** Daemons killed. */
  readonly kills: number
  /** Daemons stopped for a while: whatever they were about to do, they do late. */
  readonly stops: number
  readonly postgresRestarts: number
  readonly elasticsearchRestarts: number
  /** Elasticsearch stopped for a while: requests time out, and are carried out all the same. */
  readonly elasticsearchStops: number
  /** Connections cut, half-closed, held, slowed down. */
  readonly disturbances: number
  /** Resolves when there was an Elasticsearch for that long; rejects when a server does not come up again. */
  served(ms: number): Promise<void>
  /** No further fault; what is down stays down. */
  cease(): void
  /** No further fault; resolves when everything is up and runs again. */
  heal(): Promise<void>
}

/**
 * Five kinds of faults, each at its own pace.
 *
 * @param firstRestart milliseconds until Elasticsearch is killed for the first time
 */
export function startFaults(victims: Victims, random: Random, firstRestart: number): Faults {
  const { daemons, postgres, elasticsearch, workload, network, spared, say } = victims
  const healing = new AbortController()
  const begun = performance.now()
  let awayMs = 0
  let awaySince: number | null = null
  const counts = {
    kills: 0,
    stops: 0,
    postgresRestarts: 0,
    elasticsearchRestarts: 0,
    elasticsearchStops: 0,
    disturbances: 0,
  }
  /** Waits, until it heals: past that no round begins another fault, and each ends the one it has begun. */
  const pause = (ms: number) => delay(ms, undefined, { signal: healing.signal }).catch(() => undefined)
  const forever = async (name: string, round: (choices: Random) => Promise<void>) => {
    const choices = random.fork(name)
    while (!healing.signal.aborted) await round(choices)
  }

  const kill = async (choices: Random) => {
    await pause(choices.int(1_500, 2_500))
    if (healing.signal.aborted) return
    const n = choices.int(0, daemons.count - 1 - spared)
    say(`kill -9 daemon ${n + 1}`)
    await daemons.kill(n)
    counts.kills += 1
    await pause(choices.int(0, 500))
    daemons.start(n)
    // On a busy machine starting takes longer than a life should last: then nobody would be there to be disturbed.
    while (!daemons.works(n) && !healing.signal.aborted) await pause(100)
  }

  const stop = async (choices: Random) => {
    await pause(choices.int(5, 60))
    const n = choices.int(0, daemons.count - 1)
    if (!daemons.works(n)) return
    daemons.signal(n, 'SIGSTOP')
    counts.stops += 1
    // Mostly for as long as another one needs to overtake it.
    await pause(choices.chance(0.97) ? choices.int(30, 200) : choices.int(1_000, 3_000))
    daemons.signal(n, 'SIGCONT')
  }

  const crashPostgres = async (choices: Random) => {
    await pause(choices.int(3_000, 8_000))
    if (healing.signal.aborted) return
    // Now and then all that the application did last is lost, though it was told otherwise: what the index got of
    // that must not survive.
    workload.asynchronous = choices.chance(0.7)
    await pause(choices.int(500, 2_500))
    say(`Postgres crashes${workload.asynchronous ? ', and loses its last commits' : ''}`)
    const before = await lastVersion(postgres.url)
    await postgres.crash()
    workload.asynchronous = false
    counts.postgresRestarts += 1
    const after = await lastVersion(postgres.url)
    if (after < before) say(`the sequence of versions went back by ${before - after}`)
  }

  let nextRestart = begun + firstRestart
  const disturbElasticsearch = async (choices: Random) => {
    await pause(choices.int(500, 4_000))
    if (healing.signal.aborted) return
    if (performance.now() < nextRestart) {
      // What arrives meanwhile is carried out afterwards, in any order; past the time-out others have sent it again.
      await elasticsearch.kill('SIGSTOP')
      counts.elasticsearchStops += 1
      await pause(choices.chance(0.7) ? choices.int(100, 1_500) : choices.int(2_500, 5_000))
      await elasticsearch.kill('SIGCONT')
      return
    }
    say('kill -9 Elasticsearch')
    awaySince = performance.now()
    await elasticsearch.kill('SIGKILL')
    await pause(choices.int(0, 2_000))
    await elasticsearch.start()
    awayMs += performance.now() - awaySince
    awaySince = null
    say('Elasticsearch is back')
    counts.elasticsearchRestarts += 1
    nextRestart = performance.now() + choices.int(20_000, 40_000)
  }

  const disturb = async (choices: Random) => {
    await pause(choices.int(200, 3_000))
    if (network === null || healing.signal.aborted) return
    await disturbNetwork(network, choices, pause)
    counts.disturbances += 1
  }

  const ended = Promise.all([
    forever('kill', kill),
    // Two of the four may be late at once.
    forever('stop 1', stop),
    forever('stop 2', stop),
    forever('Postgres', crashPostgres),
    forever('Elasticsearch', disturbElasticsearch),
    ...(network === null ? [] : [forever('network', disturb)]),
  ])
  // Whoever heals is told; nobody is there to listen before.
  ended.catch(() => undefined)
  const served = async (ms: number) => {
    while ((awaySince ?? performance.now()) - begun - awayMs < ms) await Promise.race([delay(100), ended])
  }
  const cease = () => healing.abort()
  const heal = async () => {
    cease()
    await ended
    daemons.startAll()
  }
  return Object.assign(counts, { served, cease, heal })
}

/** The last version that anybody has drawn. */
async function lastVersion(url: string): Promise<bigint> {
  const client = new pg.Client({ connectionString: url, application_name: 'chaos' })
  client.on('error', () => {})
  await client.connect()
  try {
    const { rows } = await client.query<{ last: string }>(
      'SELECT last_value AS last FROM sluice.sync_version',
    )
    return BigInt(rows[0]?.last ?? 0)
  } finally {
    await client.end()
  }
}
