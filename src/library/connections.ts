import type pg from 'pg'
import type { Configured } from '../answers/read-status.ts'
import {
  loadBaseSettings,
  loadDefinitions,
  loadSchedules,
  loadSettings,
  missingUrl,
  type Sources,
} from '../config/load.ts'
import { configError } from '../config/problems.ts'
import type { AdminSettings, ElasticsearchSettings, ScheduleDefinition, Settings } from '../config/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError } from '../errors.ts'
import { createPool } from '../postgres/connect.ts'
import { checkSchema } from '../postgres/migrate.ts'
import type { Database } from '../postgres/types.ts'

/** One query of each caller at a time; who waits asks a few times a second. */
const POOL_SIZE = 4

/** Settings and connections of one instance, each read or opened when it is first needed. */
export class Connections {
  readonly #sources: Sources
  #pool: Promise<pg.Pool> | undefined
  #database: Promise<Database> | undefined
  #elasticsearch: Promise<Elasticsearch> | undefined

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** The whole configuration, and both servers named. */
  settings(): Promise<Settings> {
    return loadSettings(this.#sources)
  }

  /** What the configuration wants; null where none is given, or it is about connections alone. */
  async configured(): Promise<Configured | null> {
    const { config } = this.#sources
    if (config !== undefined && !('documents' in config)) return null
    if ((await loadBaseSettings(this.#sources)).file === null) return null
    return { documents: await loadDefinitions(this.#sources), schedules: await this.schedules() }
  }

  async admin(): Promise<AdminSettings> {
    return (await loadBaseSettings(this.#sources)).admin
  }

  schedules(): Promise<ReadonlyMap<string, ScheduleDefinition>> {
    return loadSchedules(this.#sources)
  }

  /** URL of Postgres. */
  async postgres(): Promise<string> {
    const { postgres, file } = await loadBaseSettings(this.#sources)
    if (postgres === null) throw configError([missingUrl('postgres')], file)
    return postgres
  }

  async readElasticsearch(): Promise<ElasticsearchSettings> {
    const { elasticsearch, file } = await loadBaseSettings(this.#sources)
    if (elasticsearch === null) throw configError([missingUrl('elasticsearch')], file)
    return elasticsearch
  }

  async pool(): Promise<pg.Pool> {
    this.#pool ??= this.#openPool()
    try {
      return await this.#pool
    } catch (error) {
      this.#pool = undefined
      throw error
    }
  }

  /** A pool that need not be the owner's: nothing is asked of it but our functions. */
  async anyRole(): Promise<Database> {
    const { schema } = await loadBaseSettings(this.#sources)
    return { pool: await this.pool(), schema }
  }

  /** Our schema is there, and of this program's version; looked at until it once was. */
  async database(): Promise<Database> {
    this.#database ??= this.#check()
    try {
      return await this.#database
    } catch (error) {
      this.#database = undefined
      throw error
    }
  }

  async elasticsearch(): Promise<Elasticsearch> {
    this.#elasticsearch ??= this.#openElasticsearch()
    try {
      return await this.#elasticsearch
    } catch (error) {
      this.#elasticsearch = undefined
      throw error
    }
  }

  /** What is asked for afterwards opens anew. */
  async close(): Promise<void> {
    const [pool, elasticsearch] = [this.#pool, this.#elasticsearch]
    this.#pool = undefined
    this.#database = undefined
    this.#elasticsearch = undefined
    await Promise.allSettled([
      pool?.then((opened) => opened.end()),
      elasticsearch?.then((opened) => opened.close()),
    ])
  }

  async #openPool(): Promise<pg.Pool> {
    const { instance } = await loadBaseSettings(this.#sources)
    return createPool(await this.postgres(), { max: POOL_SIZE, applicationName: `sluice ${instance}` })
  }

  async #check(): Promise<Database> {
    const database = await this.anyRole()
    await checkSchema(database.pool, database.schema)
    return database
  }

  async #openElasticsearch(): Promise<Elasticsearch> {
    const { limits } = await loadBaseSettings(this.#sources)
    // Half of all that there is to load, and an application that only waits does without.
    const { connectElasticsearch } = await import('../elasticsearch/client.ts')
    const opened = connectElasticsearch(await this.readElasticsearch(), {
      requestTimeoutMs: limits.requestTimeout,
    })
    try {
      await opened.info()
    } catch (error) {
      await opened.close()
      throw error
    }
    return opened
  }
}

/** A configuration file, or what would be in one. */
export function sourcesOf(
  config: object | string | undefined,
  env: Sources['env'],
  cwd: string = process.cwd(),
): Sources {
  if (typeof config === 'string') return { configFile: config, env, cwd }
  if (config !== undefined && (typeof config !== 'object' || config === null)) {
    throw new ConfigError('expected the path of a configuration file, or a configuration', {
      where: 'createSluice({ config })',
    })
  }
  return config === undefined ? { env, cwd } : { config, env, cwd }
}
