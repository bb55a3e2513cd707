import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { version } from '../../src/version.ts'
import type { World } from './world.ts'

const loadBefore = Number(loadavg()[0]?.toFixed(2))

/** On what the figures were measured: printed with them, for they mean nothing without. */
export interface Setting {
  /** Those of the cell, or some that were there. */
  readonly servers: 'own' | 'outside'
  readonly versions: Readonly<Record<string, string>>
  readonly machine: Readonly<Record<string, string | number>>
}

export async function describeSetting({
  pool,
  search,
  pids,
}: Pick<World, 'pool' | 'search' | 'pids'>): Promise<Setting> {
  const { rows } = await pool.query<{ server_version: string }>('SHOW server_version')
  const { nodes } = (await search('GET', '/_nodes?filter_path=nodes.*.version,nodes.*.jvm.version')) as {
    readonly nodes: Readonly<Record<string, { version: string; jvm: { version: string } }>>
  }
  const [node] = Object.values(nodes)
  return {
    servers: pids === null ? 'outside' : 'own',
    versions: {
      sluice: version,
      node: process.versions.node,
      postgres: rows[0]?.server_version ?? 'unknown',
      elasticsearch: node?.version ?? 'unknown',
      java: node?.jvm.version ?? 'unknown',
    },
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memory_gb: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${release()} ${arch()}`,
      // Of others, as we begin: above half a core, the machine was not ours.
      load_before: loadBefore,
    },
  }
}
