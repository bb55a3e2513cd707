import { startFaultProxy } from '../support/fault-proxy.ts'
import { type Pace, startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { badAnswers } from './answers.ts'
import type { Disturber } from './disturber.ts'

/** What lies between the daemons and their servers; the application and the operator are not behind it. */
export interface Network extends Addresses {
  /** What it does to what passes. */
  readonly disturbers: readonly Disturber[]
  close(): Promise<void>
}

interface Addresses {
  readonly postgres: string
  readonly elasticsearch: string
}

/** Connections that break, and answers that Elasticsearch has not given. */
export async function openNetwork(servers: Addresses): Promise<Network> {
  const answers = await startFaultProxy(servers.elasticsearch)
  const [postgres, elasticsearch] = await Promise.all([
    startTcpProxy(servers.postgres),
    startTcpProxy(answers.url),
  ])
  return {
    postgres: postgres.url,
    elasticsearch: elasticsearch.url,
    disturbers: [brokenConnections([postgres, elasticsearch]), badAnswers(answers)],
    close: async () => {
      await Promise.all([postgres.close(), elasticsearch.close()])
      await answers.close()
    },
  }
}

/**
 * A network that is uneven and loses nothing: at times a few pieces of what daemons and servers say to each other are late.
 * Few, for a batch that is late is overtaken only by one that is not.
 */
export async function openUnevenNetwork(servers: Addresses): Promise<Network> {
  const [postgres, elasticsearch] = await Promise.all([
    startTcpProxy(servers.postgres),
    startTcpProxy(servers.elasticsearch),
  ])
  const pace = (present: Pace) => {
    for (const proxy of [postgres, elasticsearch]) proxy.pace(present)
  }
  const uneven: Disturber = {
    name: 'network',
    every: [500, 2_000],
    disturb: async (choices, pause) => {
      pace({ kind: 'jitter', share: 0.03, ms: choices.pick([50, 150, 300]) })
      await pause(choices.int(500, 2_500))
      pace({ kind: 'open' })
      return 'jitter'
    },
    heal: async () => pace({ kind: 'open' }),
  }
  return {
    postgres: postgres.url,
    elasticsearch: elasticsearch.url,
    disturbers: [uneven],
    close: async () => {
      await Promise.all([postgres.close(), elasticsearch.close()])
    },
  }
}

/** Slower than any request should be, and as slow as one that times out (three seconds). */
const PACES: readonly [Pace, ...Pace[]] = [
  { kind: 'hold' },
  { kind: 'delay', ms: 50 },
  { kind: 'delay', ms: 500 },
  { kind: 'jitter', share: 0.2, ms: 500 },
  { kind: 'drip', bytes: 200 },
]

/** One disturbance of one of the two connections. */
function brokenConnections(proxies: readonly [TcpProxy, TcpProxy]): Disturber {
  return {
    name: 'network',
    every: [200, 3_000],
    disturb: async (choices, pause) => {
      const proxy = choices.pick(proxies)
      const what = choices.pick(['cut', 'half-close', 'cut the next answer', 'pace'] as const)
      switch (what) {
        case 'cut':
          proxy.cut()
          return what
        case 'half-close':
          proxy.halfClose()
          return what
        case 'cut the next answer':
          proxy.cutNextAnswer()
          return what
        case 'pace': {
          const pace = choices.pick(PACES)
          proxy.pace(pace)
          // Mostly shorter than a time-out, now and then longer.
          await pause(choices.chance(0.9) ? choices.int(50, 1_500) : choices.int(3_000, 6_000))
          proxy.pace({ kind: 'open' })
          return pace.kind
        }
      }
    },
    heal: async () => {
      for (const proxy of proxies) proxy.pace({ kind: 'open' })
    },
  }
}
