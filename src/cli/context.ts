/**
 * What a command works with: settings, connections and the place for its output, each opened when first asked for
 * and closed at the end.
 *
 * How to write a command (src/cli/commands/pause.ts is the shortest):
 *
 *     export function registerPause(program: Command): void {
 *       program
 *         .command('pause')
 *         .description('Stop indexing a document; its marks gather in the queue')
 *         .argument('<document>', 'name of an installed document')
 *         .option('--reason <text>', 'shown by status')
 *         .addHelpText('after', examples(['sluice pause city', 'until sluice resume city']))
 *         .action(action(pause))
 *     }
 *
 *     async function pause(context: CommandContext, document: string, options: { reason?: string }): Promise<ExitCode> {
 *       const { pool, schema } = await context.database()
 *       …
 *       context.output.result(pauseJson, { document }, () => `${document} is paused`)
 *       return exitCodes.done
 *     }
 *
 * - commander calls with (arguments…, options, command); `action` puts the context before them.
 * - Ask the context for the least that does: `base()` needs no documents, `database()` no Elasticsearch.
 * - Throw SluiceErrors (UsageError, FailedError …): dispatch.ts prints them and finds the exit code. Return
 *   `exitCodes.differences` where it ran and found something.
 * - Print through `context.output` alone: `result(schema, value, human)` once, for what was asked: with --json it is
 *   the one document on standard output, and `schema` (zod, in src/answers/json/<command>.ts, exported by src/index.ts)
 *   is what users may rely on. `note` is for what happens on the way: it goes to standard error, and nowhere with
 *   --json or --quiet. `warn` goes to standard error always.
 * - Long work: `await context.output.progress(label)`.
 * - `context.interrupted` is an AbortSignal: reading it takes over SIGINT and SIGTERM, a second one ends at once.
 * - program.ts lists the register function. It is called when the command is, or the help of all of them: a library that
 *   few commands use is imported where they use it.
 */
import type { Command } from 'commander'
import type pg from 'pg'
import { explain } from '../answers/explain.ts'
import {
  loadBaseSettings,
  loadDefinitions,
  loadSchedules,
  loadSettings,
  missingUrl,
  type Sources,
} from '../config/load.ts'
import { configError, type Problem } from '../config/problems.ts'
import type {
  BaseSettings,
  DocumentDefinition,
  ElasticsearchSettings,
  ScheduleDefinition,
  Settings,
} from '../config/types.ts'
import type { Flag } from '../config/variables.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { connectionError, createPool } from '../postgres/connect.ts'
import { checkSchema } from '../postgres/migrate.ts'
import type { Database } from '../postgres/types.ts'
import { takeOverSignals } from './interrupted.ts'
import { createOutput, type Output } from './output.ts'

export type { Database }

export interface CommandContext {
  readonly output: Output
  /** Aborted by SIGINT and SIGTERM; reading it takes them over. */
  readonly interrupted: AbortSignal
  /** Everything: the configuration's documents, both servers. ConfigError where something is missing. */
  settings(): Promise<Settings>
  /** All but the documents, with or without a configuration file. */
  base(): Promise<BaseSettings>
  /** The configuration's documents alone; no server needs to be named. */
  definitions(): Promise<ReadonlyMap<string, DocumentDefinition>>
  /** The configuration's schedules. */
  schedules(): Promise<ReadonlyMap<string, ScheduleDefinition>>
  /** A pool that has answered. Our schema may be missing. */
  pool(): Promise<pg.Pool>
  /** A pool, and our schema, which is there and of this program's version. */
  database(): Promise<Database>
  /** What flags, environment, `.env` and configuration say of Elasticsearch now. */
  readElasticsearch(): Promise<ElasticsearchSettings>
  /** A connection to Elasticsearch that has answered. */
  elasticsearch(): Promise<Elasticsearch>
  /** An error as a user should see it: what Postgres says becomes a SluiceError. */
  explain(error: unknown): Promise<unknown>
  close(): Promise<void>
}

/** Options that every command has; program.ts declares them. */
interface GlobalOptions extends Partial<Record<Flag, string>> {
  readonly config?: string
  readonly json?: true
  readonly quiet?: true
}

/** A query of ours, a batch of reads beside it, and one to spare. */
const poolSize = 4

export function openContext(command: Command): CommandContext {
  const { config, json = false, quiet = false, ...flags } = command.optsWithGlobals<GlobalOptions>()
  const sources: Sources = { configFile: config, flags, env: process.env, cwd: process.cwd() }
  const closing: (() => Promise<void>)[] = []
  const signals = once(() => takeOverSignals())

  const base = once(() => loadBaseSettings(sources))
  const pool = once(async () => {
    const url = await postgresUrl(base())
    const opened = createPool(url, { max: poolSize, applicationName: `sluice ${command.name()}` })
    closing.push(() => opened.end())
    await opened.query('SELECT 1').catch((error: unknown) => {
      throw connectionError(error, url)
    })
    return opened
  })
  const elasticsearch = once(async () => {
    const settings = elasticsearchOf(await base())
    const { limits } = await base()
    // Half of all that a command loads, and many ask the database alone.
    const { connectElasticsearch } = await import('../elasticsearch/client.ts')
    const opened = connectElasticsearch(settings, { requestTimeoutMs: limits.requestTimeout })
    closing.push(() => opened.close())
    await opened.info()
    return opened
  })
  return {
    output: createOutput({ json, quiet, stdout: process.stdout, stderr: process.stderr }),
    get interrupted() {
      return signals()
    },
    settings: once(() => loadSettings(sources)),
    base,
    definitions: once(() => loadDefinitions(sources)),
    schedules: once(() => loadSchedules(sources)),
    pool,
    database: once(async () => {
      const { schema } = await base()
      await checkSchema(await pool(), schema)
      return { pool: await pool(), schema }
    }),
    readElasticsearch: async () => elasticsearchOf(await loadBaseSettings(sources)),
    elasticsearch,
    explain: async (error) => explain(error, (await base().catch(() => null))?.postgres ?? ''),
    close: async () => {
      await Promise.allSettled(closing.map((close) => close()))
    },
  }
}

/** DATABASE_URL, or a ConfigError that says it is missing. */
export async function postgresUrl(base: Promise<BaseSettings>): Promise<string> {
  const { postgres, file } = await base
  if (postgres === null) throw missing(missingUrl('postgres'), file)
  return postgres
}

function elasticsearchOf({ elasticsearch, file }: BaseSettings): ElasticsearchSettings {
  if (elasticsearch === null) throw missing(missingUrl('elasticsearch'), file)
  return elasticsearch
}

function missing(problem: Problem, file: string | null): Error {
  return configError([problem], file)
}

/** The value of the first call, for all. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
