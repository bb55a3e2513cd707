import { type Pace, startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import type { Random } from './random.ts'

/** What lies between the daemons and their servers; the application and the operator are not behind it. */
export interface Network {
  readonly postgres: TcpProxy
  readonly elasticsearch: TcpProxy
  close(): Promise<void>
}

interface Addresses {
  readonly postgres: string
  readonly elasticsearch: string
}

export async function openNetwork(servers: Addresses): Promise<Network> {
  const [postgres, elasticsearch] = await Promise.all([
    startTcpProxy(servers.postgres),
    startTcpProxy(servers.elasticsearch),
  ])
  return {
    postgres,
    elasticsearch,
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
  { kind: 'drip', bytes: 200 },
]

/** One disturbance of one of the two connections, to its end. `pause` ends early when everything is to heal. */
export async function disturbNetwork(
  network: Network,
  choices: Random,
  pause: (ms: number) => Promise<unknown>,
): Promise<void> {
  const proxy = choices.pick([network.postgres, network.elasticsearch])
  const what = choices.pick(['cut', 'half-close', 'cut the next answer', 'pace'])
  switch (what) {
    case 'cut':
      proxy.cut()
      break
    case 'half-close':
      proxy.halfClose()
      break
    case 'cut the next answer':
      proxy.cutNextAnswer()
      break
    case 'pace':
      proxy.pace(choices.pick(PACES))
      // Mostly shorter than a time-out, now and then longer.
      await pause(choices.chance(0.9) ? choices.int(50, 1_500) : choices.int(3_000, 6_000))
      proxy.pace({ kind: 'open' })
  }
}
