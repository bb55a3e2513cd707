import type pg from 'pg'
import { CLOCK_REMEDY, createFalseClock, type FalseClock } from '../support/false-clock.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { steppedClocks } from './clocks.ts'
import type { Disturber } from './disturber.ts'
import { blockedIndices } from './indices.ts'
import { type Network, openNetwork, openUnevenNetwork } from './network.ts'
import { massRejections } from './rejections.ts'
import { asDaemon, daemonRole, disturbedSessions, fullDisk, settleOnSmallDisk } from './sessions.ts'

/** What goes wrong beside kills, stops and crashes. */
export interface Trouble {
  readonly disturbers: readonly Disturber[]
  /** What servers and daemons need in their environment, for clocks that are to be set. */
  readonly environments: Readonly<Record<'postgres' | 'daemons', Readonly<Record<string, string>>>>
  /** Servers are up, nothing is installed: resolves to the addresses that sluice is given. */
  open(servers: Addresses, pool: pg.Pool): Promise<Addresses>
  /** sluice is installed. */
  installed(pool: pg.Pool): Promise<void>
  close(): Promise<void>
}

interface Addresses {
  readonly postgres: string
  readonly elasticsearch: string
}

/** Of the crash test: no more than an uneven network. */
export function prepareUnevenNetwork(): Trouble {
  const disturbers: Disturber[] = []
  let network: Network | null = null
  return {
    disturbers,
    environments: { postgres: {}, daemons: {} },
    open: async (servers) => {
      network = await openUnevenNetwork(servers)
      disturbers.push(...network.disturbers)
      return { postgres: network.postgres, elasticsearch: network.elasticsearch }
    },
    installed: async () => {},
    close: async () => {
      await network?.close()
    },
  }
}

/** Of the soak: all that there is. Says what this machine cannot do. */
export function prepareTrouble(
  inTurn: <T>(work: () => Promise<T>) => Promise<T>,
  say: (text: string) => void,
): Trouble {
  const clocks = falseClocks()
  if (clocks === null) say(`no clock is set: ${CLOCK_REMEDY}`)
  const disk = mountSmallDisk(16)
  if (disk === null) say('no disk is full: it takes root to mount one')
  const disturbers: Disturber[] = []
  let network: Network | null = null
  return {
    disturbers,
    environments: {
      postgres: clocks?.postgres.environment ?? {},
      daemons: clocks?.daemons.environment ?? {},
    },
    open: async (servers, pool) => {
      await pool.query(daemonRole)
      network = await openNetwork(servers)
      disturbers.push(
        ...network.disturbers,
        ...disturbedSessions(servers.postgres),
        blockedIndices(servers.elasticsearch),
        massRejections(servers.postgres),
        ...(disk === null ? [] : [fullDisk(servers.postgres, disk, inTurn)]),
        ...(clocks === null ? [] : [steppedClocks(clocks)]),
      )
      return { postgres: asDaemon(network.postgres), elasticsearch: network.elasticsearch }
    },
    installed: async (pool) => {
      if (disk !== null) await settleOnSmallDisk(pool, disk)
    },
    close: async () => {
      await network?.close()
      await disk?.unmount()
      clocks?.postgres.remove()
      clocks?.daemons.remove()
    },
  }
}

function falseClocks(): Record<'postgres' | 'daemons', FalseClock> | null {
  const postgres = createFalseClock()
  const daemons = createFalseClock()
  return postgres === null || daemons === null ? null : { postgres, daemons }
}
