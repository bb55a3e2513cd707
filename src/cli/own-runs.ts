import { hostname, userInfo } from 'node:os'
import pg from 'pg'
import { pino } from 'pino'
import type { Settings } from '../config/types.ts'
import { definitionHash } from '../documents/hash.ts'
import { ConfigError, FailedError } from '../errors.ts'
import { readDocuments } from '../queue/read-documents.ts'
import { Instance } from '../runs/instance.ts'
import { readRun } from '../runs/read-runs.ts'
import { attendedDocuments } from '../runs/request-backfill.ts'
import type { Run } from '../runs/types.ts'
import type { CommandContext, Database } from './context.ts'
import { follow } from './follow.ts'

/** Commands that request runs: they follow them, and where no daemon works on a document, execute them. */

/** Documents that no living daemon works on. */
export async function withoutDaemon(
  { pool, schema }: Database,
  documents: readonly string[],
): Promise<readonly string[]> {
  const attended = await attendedDocuments(pool, schema)
  return documents.filter((document) => !attended.has(document))
}

/** Follows the runs, one bar after the other. With settings, this process is a daemon meanwhile. */
export async function toTheEnd(
  context: CommandContext,
  database: Database,
  requested: readonly { readonly run: Run }[],
  own: Settings | null,
): Promise<readonly Run[]> {
  const followAll = async (signal: AbortSignal) => {
    const runs: Run[] = []
    for (const { run } of requested) runs.push(await follow(context, database, run, signal))
    return runs
  }
  if (own === null) return followAll(context.interrupted)

  const instance = new Instance({
    settings: own,
    log: pino({ level: 'silent' }),
    readElasticsearch: context.readElasticsearch,
  })
  const gaveUp = new AbortController()
  instance.start()
  // It ends by itself only by an error; that error is the command's.
  const failed = instance.finished.finally(() => gaveUp.abort())
  try {
    const followed = followAll(AbortSignal.any([context.interrupted, gaveUp.signal]))
    await Promise.race([followed, failed])
    await instance.stop()
    // Once more: a run that is not at its end was released in this moment.
    return await Promise.all(
      (await followed).map(async (run) => (await readRun(database.pool, database.schema, run.id)) ?? run),
    )
  } finally {
    await instance.stop()
  }
}

/**
 * What a daemon in this process needs, when none is alive that works on the documents. Checked first, for such a
 * daemon would wait without an end for a server that is away, or for a definition that is not its own.
 */
export async function ownSettings(
  context: CommandContext,
  { pool, schema }: Database,
  unattended: readonly string[],
): Promise<Settings> {
  await assertMayWork({ pool, schema }, unattended)
  const settings = await context.settings()
  await context.elasticsearch()
  const installed = new Map((await readDocuments(pool, schema)).map(({ name, hash }) => [name, hash]))
  for (const document of unattended) {
    // A name that is not installed is refused by the request, which says more.
    if (!installed.has(document)) continue
    const definition = settings.documents.get(document)
    if (definition !== undefined && definitionHash(definition) === installed.get(document)) continue
    throw new ConfigError(
      definition === undefined
        ? 'no daemon works on it, and this configuration does not have it'
        : 'no daemon works on it, and its definition here is not the installed one',
      {
        where: `documents.${document}`,
        remedy: 'Run sluice install, or start a daemon with the configuration it was installed from.',
      },
    )
  }
  return settings
}

/** An operator's role asks for runs, and does none itself. */
async function assertMayWork({ pool, schema }: Database, unattended: readonly string[]): Promise<void> {
  const { rows } = await pool.query<{ may: boolean; role: string }>(
    `SELECT has_table_privilege($1, 'DELETE') AS may, quote_ident(current_user) AS role`,
    [`${pg.escapeIdentifier(schema)}.sync_queue`],
  )
  const [row] = rows
  if (row === undefined || row.may) return
  throw new FailedError(
    `no daemon works on ${unattended.join(', ')}, and role ${row.role} may only ask one to`,
    { remedy: 'Start a daemon (sluice run), or ask for it all the same and go: --no-wait.' },
  )
}

/** For `sync_run.requested_by`. */
export function whoAsks(): string {
  return `${userName()}@${hostname()}`
}

/** A container's user may have no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'unknown')
  }
}
