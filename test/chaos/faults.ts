import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { PostgresServer, Server } from '../support/servers/index.ts'
import type { Daemons } from './daemons.ts'
import type { Disturber } from './disturber.ts'
import type { Random } from './random.ts'
import type { Workload } from './workload.ts'

export interface Victims {
  readonly daemons: Daemons
  readonly postgres: PostgresServer
  readonly elasticsearch: Server
  readonly workload: Workload
  /** What else goes wrong. */
  readonly disturbers: readonly Disturber[]
  /** Crashes of Postgres come in turn with whatever must not meet one. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>
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
  /** How often each of the disturbers did what. */
  readonly disturbances: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Resolves when there was an Elasticsearch for that long; rejects when a server does not come up again. */
  served(ms: number): Promise<void>
  /** Resolves when that is so; rejects likewise. */
  until(condition: () => boolean): Promise<void>
  /** No further fault; what is down stays down. */
  cease(): void
  /** No further fault; resolves when everything is up and runs again. */
  heal(): Promise<void>
}

export interface Pacing {
  /** Milliseconds until Elasticsearch is killed for the first time. */
  readonly firstRestart: number
  /** From its start to its next kill, milliseconds. */
  readonly restartEvery: readonly [least: number, most: number]
  /** From a crash of Postgres to the preparation of the next, milliseconds. */
  readonly crashEvery: readonly [least: number, most: number]
}

/** From one kill of a daemon to the next, or later, until the one that was killed works again. */
const KILL_EVERY_MS = [1_500, 2_500] as const

/** Kills, stops and crashes, and whatever the disturbers do, each at its own pace. */
export function startFaults(victims: Victims, random: Random, pacing: Pacing): Faults {
  const { daemons, postgres, elasticsearch, workload, disturbers, inTurn, spared, say } = victims
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
    disturbances: {} as Record<string, Record<string, number>>,
  }
  /** Waits, until it heals: past that no round begins another fault, and each ends the one it has begun. */
  const pause = (ms: number) => delay(ms, undefined, { signal: healing.signal }).catch(() => undefined)
  const forever = async (name: string, round: (choices: Random) => Promise<void>) => {
    const choices = random.fork(name)
    while (!healing.signal.aborted) await round(choices)
  }

  let nextKill = begun + KILL_EVERY_MS[0]
  const kill = async (choices: Random) => {
    await pause(Math.max(0, nextKill - performance.now()))
    if (healing.signal.aborted) return
    nextKill = performance.now() + choices.int(...KILL_EVERY_MS)
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
    await pause(choices.int(...pacing.crashEvery))
    if (healing.signal.aborted) return
    // Now and then all that the application did last is lost, though it was told otherwise: what the index got of
    // that must not survive.
    workload.asynchronous = choices.chance(0.7)
    await pause(choices.int(500, 2_500))
    say(`Postgres crashes${workload.asynchronous ? ', and loses its last commits' : ''}`)
    const { before, after } = await inTurn(async () => {
      const drawn = await lastVersion(postgres.url)
      await postgres.crash()
      return { before: drawn, after: await lastVersion(postgres.url) }
    })
    workload.asynchronous = false
    counts.postgresRestarts += 1
    if (after < before) say(`the sequence of versions went back by ${before - after}`)
  }

  let nextRestart = begun + pacing.firstRestart
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
    nextRestart = performance.now() + choices.int(...pacing.restartEvery)
  }

  const disturb = async (disturber: Disturber, choices: Random) => {
    await pause(choices.int(...disturber.every))
    if (healing.signal.aborted) return
    const what = await disturber.disturb(choices, pause)
    if (what === null) return
    const count = counts.disturbances[disturber.name] ?? {}
    counts.disturbances[disturber.name] = { ...count, [what]: (count[what] ?? 0) + 1 }
  }

  const ended = Promise.all([
    forever('kill', kill),
    // Two of the four may be late at once.
    forever('stop 1', stop),
    forever('stop 2', stop),
    forever('Postgres', crashPostgres),
    forever('Elasticsearch', disturbElasticsearch),
    ...disturbers.map((disturber) => forever(disturber.name, (choices) => disturb(disturber, choices))),
  ])
  // Whoever heals is told; nobody is there to listen before.
  ended.catch(() => undefined)
  // What has ended without an error would end each of these waits at once.
  const failing = ended.then(() => new Promise<never>(() => undefined))
  const until = async (condition: () => boolean) => {
    while (!condition()) await Promise.race([delay(100), failing])
  }
  const served = (ms: number) => until(() => (awaySince ?? performance.now()) - begun - awayMs >= ms)
  const cease = () => healing.abort()
  const heal = async () => {
    cease()
    await ended
    await Promise.all(disturbers.map((disturber) => disturber.heal()))
    daemons.startAll()
  }
  return Object.assign(counts, { served, until, cease, heal })
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
