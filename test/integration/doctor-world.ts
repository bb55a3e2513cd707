import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import type { z } from 'zod'
import { doctorJson } from '../../src/answers/json/doctor.ts'
import { curlFor } from '../../src/cli/doctor/curl.ts'
import { diagnose } from '../../src/cli/doctor/diagnose.ts'
import { examine } from '../../src/cli/doctor/examine.ts'
import { loadSchedules, loadSettings } from '../../src/config/load.ts'
import type { Limits } from '../../src/config/types.ts'
import { connectElasticsearch } from '../../src/elasticsearch/client.ts'
import { createPool } from '../../src/postgres/connect.ts'
import { eventually } from '../support/context.ts'
import { type CommandWorld, commandWorld, type Started } from './cli-support.ts'

export type Finding = z.infer<typeof doctorJson>['findings'][number]

/** An installed document `city`, of a partitioned table and its country, and a daemon that works on it: nothing is wrong. */
export interface DoctorWorld extends CommandWorld {
  readonly daemon: Started
  /** What the command would print, found in this process: looks are many here, and each command reads the program for half a second. */
  findings(env?: Readonly<Record<string, string>>): Promise<readonly Finding[]>
  /** Does as a finding says, as an operator does it: commands go into a shell, the rest into psql. */
  apply(finding: Finding): Promise<void>
  /** Name of the index. */
  physical(): Promise<string>
  /** Installs, and waits until nothing is wrong any more. */
  install(): Promise<void>
}

export async function doctorWorld(): Promise<DoctorWorld> {
  const world = await commandWorld()
  const { db, search, place } = world
  await db.pool.query(`
    CREATE TABLE country (code text PRIMARY KEY, name text);
    CREATE TABLE city (id int, country_code text REFERENCES country, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE city_low PARTITION OF city FOR VALUES FROM (0) TO (1000);
    CREATE TABLE city_high PARTITION OF city FOR VALUES FROM (1000) TO (2000);
    CREATE INDEX ON city (country_code)`)
  const city = {
    table: 'city',
    index: `${search.prefix}cities`,
    relations: { country: { one: 'country', fields: ['name'] } },
  }
  await place.write('sluice.config.json', JSON.stringify({ documents: { city } }))
  expect((await place.sluice(['install'])).code).toBe(0)
  const daemon = place.start(['run'], { ADMIN_PORT: 'off' })
  const findings: DoctorWorld['findings'] = async (env = {}) => {
    const urls = { DATABASE_URL: db.url, ELASTICSEARCH_URL: search.url }
    const sources = { env: { ...urls, ...env }, cwd: place.folder }
    const settings = await loadSettings(sources)
    // Connections of its own each time: some settings hold for new ones alone.
    await using open = new AsyncDisposableStack()
    const pool = open.adopt(createPool(db.url, { max: 4, applicationName: 'sluice doctor' }), (opened) =>
      opened.end(),
    )
    const connection = connectElasticsearch(settings.elasticsearch, {
      requestTimeoutMs: settings.limits.requestTimeout,
    })
    open.defer(() => connection.close())
    const examined = await examine(pool, connection, settings, await loadSchedules(sources))
    const found = withoutOthers(diagnose(examined, curlFor(settings.elasticsearch), new Date()))
    return doctorJson.shape.findings.parse(JSON.parse(JSON.stringify(found)))
  }
  await eventually(async () => expect(await findings()).toEqual([]))
  return {
    ...world,
    daemon,
    findings,
    apply: async ({ remedy }) => {
      if (remedy === null) throw new Error('there is no remedy')
      if (remedy.startsWith('curl ')) {
        const { stdout } = await promisify(execFile)('sh', [
          '-c',
          remedy.replaceAll('curl ', 'curl -sS --fail '),
        ])
        expect(stdout).toContain('"acknowledged":true')
      } else if (remedy.startsWith('sluice ')) {
        expect(await place.sluice(remedy.split(' ').slice(1))).toMatchObject({ code: 0 })
      } else await db.pool.query(remedy)
    },
    physical: async () => {
      const { rows } = await db.pool.query<{ name: string }>(
        "SELECT name FROM sluice.sync_index WHERE role = 'live'",
      )
      return rows[0]?.name ?? ''
    },
    install: async () => {
      expect((await place.sluice(['install'])).code).toBe(0)
      await eventually(async () => expect(await findings()).toEqual([]))
    },
  }
}

export const names = (found: readonly Finding[]) => new Set(found.map(({ name }) => name))

/** Limits of small daemons in tests of `doctor`. */
export function limitsOf(): Limits {
  return {
    batchSize: 200,
    batchBytes: 1024 * 1024,
    concurrency: 1,
    pollingInterval: 20,
    maxRetries: 5,
    requestTimeout: 30_000,
    shutdownTimeout: 10_000,
    syncLogRetentionDays: 7,
  }
}

/**
 * Without what other test files do to the cluster that they all share: some make indices whose shard has no node. Of a
 * cluster of its own `test/full/doctor-cluster.test.ts` has this finding.
 */
export function withoutOthers<F extends { readonly name: string }>(found: readonly F[]): readonly F[] {
  return found.filter(({ name }) => name !== 'shards_missing')
}
