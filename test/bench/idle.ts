import { setTimeout as delay } from 'node:timers/promises'
import { type Cell, usual } from './cell.ts'
import { cpuSeconds } from './process-figures.ts'
import { article, articleTable, fillTable } from './rows.ts'
import type { World } from './world.ts'

/** Polling stretches after ten idle seconds; a few more, for what starting leaves to do. */
const SETTLE_MS = 15_000

/** What an application at rest pays: processor time of a daemon and of its connections' backends. */
export const idle: Cell = {
  name: 'idle',
  about: 'Processor time of an idle daemon and its Postgres backends over --seconds, in percent of a core.',
  defaults: { ...usual, rows: 10_000, seconds: 30 },
  figures: { 'daemon and its backends': { of: 'value', atMost: 1 } },
  world: { documents: { article } },
  ownServers: 'it reads the processor time of Postgres’ backends from /proc',
  async *measure(world, { rounds, rows, seconds }, note) {
    await world.pool.query(articleTable('article'))
    await fillTable(world.postgresUrl, { count: rows })
    await world.sluice('install', '--no-backfill')
    const daemon = await world.startDaemon()
    note(`settling for ${SETTLE_MS / 1000} s`)
    await delay(SETTLE_MS)
    for (let round = 1; round <= rounds; round++) {
      const usage = new Usage()
      const began = performance.now()
      // Looked at now and then: the pool closes connections that are idle for a minute and opens others.
      do {
        usage.look([daemon.pid, ...(await backends(world))])
        await delay(1_000)
      } while (performance.now() - began < seconds * 1000)
      usage.look([daemon.pid, ...(await backends(world))])
      const percent = (used: number) => (used / (performance.now() - began)) * 100_000
      const value = percent(usage.total)
      const details = { daemon: percent(usage.of(daemon.pid)).toFixed(2), connections: usage.processes - 1 }
      yield { round, case: 'daemon and its backends', value, unit: '% of a core', details }
    }
    await daemon.stop()
  },
}

/** Processes of Postgres behind sluice's connections. */
export async function backends({ pool }: World): Promise<readonly number[]> {
  const { rows } = await pool.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'sluice %' ORDER BY pid`,
  )
  return rows.map(({ pid }) => pid)
}

/** Processor time of processes that come and go. */
class Usage {
  readonly #first = new Map<number, number>()
  readonly #last = new Map<number, number>()

  look(pids: readonly number[]): void {
    const isFirst = this.#first.size === 0
    for (const pid of pids) {
      const used = cpuSeconds(pid)
      if (used === null) continue
      // One that was not there at the first look began since: all it has used counts, its start included.
      if (!this.#first.has(pid)) this.#first.set(pid, isFirst ? used : 0)
      this.#last.set(pid, used)
    }
  }

  get processes(): number {
    return this.#first.size
  }

  of(pid: number): number {
    return (this.#last.get(pid) ?? 0) - (this.#first.get(pid) ?? 0)
  }

  get total(): number {
    return [...this.#first.keys()].reduce((sum, pid) => sum + this.of(pid), 0)
  }
}
