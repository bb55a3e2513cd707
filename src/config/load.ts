import { access, constants } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { ConfigError } from '../errors.ts'
import { type Checked, checkBase, checkConfig } from './check.ts'
import { readEnvironment } from './dotenv.ts'
import { findConfigFile, noConfigFile } from './find.ts'
import { importConfig } from './import.ts'
import { type Layers, type Merged, mergeSettings } from './merge.ts'
import { type Problem, refuse, show } from './problems.ts'
import type { BaseSettings, DocumentDefinition, ScheduleDefinition, Settings, SluiceConfig } from './types.ts'

/** Where a configuration is looked for, and what is laid over it. */
export interface Sources {
  /** A configuration itself, instead of a file. */
  readonly config?: object | undefined
  /** Path given by --config, relative to `cwd`. */
  readonly configFile?: string | undefined
  readonly flags?: Layers['flags']
  /** process.env; `.env` of `cwd` is laid under it. */
  readonly env: Layers['environment']
  readonly cwd: string
}

/**
 * Everything: a configuration file with documents, and the URLs of both servers. Throws one ConfigError for all that
 * is wrong.
 */
export async function loadSettings(sources: Sources): Promise<Settings> {
  const stated = await existingConfig(sources)
  const { file } = stated
  const config = checkConfig(stated.raw)
  const base = await mergeSources(sources, stated, config)
  const { postgres, elasticsearch } = base.settings
  const problems = [...config.problems, ...base.problems]
  if (config.value !== null) {
    const known = new Set(base.problems.map(({ where }) => where))
    if (postgres === null && !known.has('DATABASE_URL') && !known.has('--database-url')) {
      problems.push(missingUrl('postgres'))
    }
    if (elasticsearch === null && !known.has('ELASTICSEARCH_URL') && !known.has('--elasticsearch-url')) {
      problems.push(missingUrl('elasticsearch'))
    }
  }
  refuse(problems, file)
  if (config.value === null || postgres === null || elasticsearch === null)
    throw new ConfigError('is incomplete')
  const documents = new Map(Object.entries(config.value.documents))
  return { ...base.settings, postgres, elasticsearch, documents, file }
}

/** All but the documents. A configuration file is read if there is one, for its connection, limits and schema. */
export async function loadBaseSettings(sources: Sources): Promise<BaseSettings> {
  const stated = await findConfig(sources)
  const file = stated?.file ?? null
  const config = checkBase(stated?.raw ?? {})
  const base = await mergeSources(sources, stated, config)
  refuse([...config.problems, ...base.problems], file)
  return { ...base.settings, file }
}

/** The documents alone; no server has to be named. */
export async function loadDefinitions(sources: Sources): Promise<ReadonlyMap<string, DocumentDefinition>> {
  return new Map(Object.entries((await loadConfig(sources))?.documents ?? {}))
}

/** The schedules alone. */
export async function loadSchedules(sources: Sources): Promise<ReadonlyMap<string, ScheduleDefinition>> {
  return new Map(Object.entries((await loadConfig(sources))?.schedules ?? {}))
}

async function loadConfig(sources: Sources): Promise<SluiceConfig | null> {
  const { file, raw } = await existingConfig(sources)
  const { value, problems } = checkConfig(raw)
  refuse(problems, file)
  return value
}

/** What to say where a server is needed and not named. */
export function missingUrl(server: 'postgres' | 'elasticsearch'): Problem {
  const [where, example] =
    server === 'postgres'
      ? ['DATABASE_URL', 'postgres://user:password@host:5432/database']
      : ['ELASTICSEARCH_URL', 'https://host:9200']
  return {
    where,
    what: `is missing, expected a URL such as ${example}`,
    remedy: `Set it in the environment or in .env, or set connection.${server} in the configuration.`,
  }
}

/** A configuration as it is stated, unchecked. */
interface Stated {
  readonly raw: unknown
  /** Where it is from, for messages. */
  readonly file: string
  /** Where its relative paths start. */
  readonly directory: string
}

async function findConfig({ config, cwd, configFile }: Sources): Promise<Stated | null> {
  if (config !== undefined) return { raw: config, file: 'createSluice()', directory: cwd }
  const file = await findConfigFile(cwd, configFile)
  return file === null ? null : { raw: await importConfig(file), file, directory: dirname(file) }
}

async function existingConfig(sources: Sources): Promise<Stated> {
  const stated = await findConfig(sources)
  if (stated === null) throw noConfigFile(sources.cwd)
  return stated
}

/** Merges the layers. Of a configuration that is refused, the environment is checked all the same. */
async function mergeSources(
  { cwd, env, flags = {} }: Sources,
  stated: Pick<Stated, 'directory'> | null,
  { value }: Checked<Omit<SluiceConfig, 'documents' | 'schedules'>>,
): Promise<Merged> {
  const config = value === null || stated === null ? {} : withAbsolutePaths(value, stated.directory)
  const layers = { ...(await readEnvironment(cwd, env)), flags, config }
  const { settings, problems } = mergeSettings(layers, `${hostname()}-${process.pid}`)
  const caFile = settings.elasticsearch?.caFile
  if (settings.elasticsearch === null || caFile === undefined) return { settings, problems }
  const path = resolve(cwd, caFile)
  const elasticsearch = { ...settings.elasticsearch, caFile: path }
  return { settings: { ...settings, elasticsearch }, problems: [...problems, ...(await unreadable(path))] }
}

/** Paths in a configuration start at its file, those in the environment at the working directory. */
function withAbsolutePaths(
  config: Omit<SluiceConfig, 'documents' | 'schedules'>,
  directory: string,
): Omit<SluiceConfig, 'documents' | 'schedules'> {
  const caFile = config.connection?.elasticsearchCaFile
  if (caFile === undefined) return config
  return { ...config, connection: { ...config.connection, elasticsearchCaFile: resolve(directory, caFile) } }
}

async function unreadable(path: string): Promise<Problem[]> {
  try {
    await access(path, constants.R_OK)
    return []
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return [
      {
        where: 'ELASTICSEARCH_CA_FILE',
        what: `got ${show(path)}, expected a PEM file that can be read (${reason})`,
      },
    ]
  }
}
