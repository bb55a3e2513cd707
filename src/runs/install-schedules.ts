import { type ClientBase, escapeIdentifier, type Pool } from 'pg'
import type { InstallPart } from '../capture/install-part.ts'
import type { Step } from '../capture/steps.ts'
import { DEFAULT_TIMEZONE } from '../config/cron.ts'
import type { ScheduleDefinition } from '../config/types.ts'
import { scheduleHash } from '../documents/hash.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { ConfigError, SluiceError } from '../errors.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { readFilter } from './filter.ts'
import { nextDue } from './fire-schedule.ts'

/** The schedules' part in `install`, `check` and `doctor`: what they ask of the tables is checked, their rows follow the configuration. */
export function schedulesPart(
  pool: Pool,
  schema: string,
  schedules: ReadonlyMap<string, ScheduleDefinition>,
): InstallPart {
  return {
    plan: async (client, { migrate, plans, onRefused }) => {
      const notes: string[] = []
      for (const [name, definition] of schedules) {
        try {
          notes.push(...(await filterWarnings(pool, name, definition, plans)))
        } catch (error) {
          onRefused(`schedules.${name}`, error)
        }
      }
      const installed = migrate ? new Map() : await installedHashes(client, schema)
      return { steps: stepsOf(schedules, installed), notes }
    },
    apply: () => writeSchedules(pool, schema, schedules),
  }
}

/** What a backfill's filter needs of each document's table, as when the run begins. Throws a ConfigError that names the option. */
async function filterWarnings(
  pool: Pool,
  name: string,
  { documents, since, column, where, tenant }: ScheduleDefinition,
  plans: readonly DocumentPlan[],
): Promise<readonly string[]> {
  const options = {
    ...(since === undefined ? {} : { since }),
    ...(column === undefined ? {} : { column }),
    ...(where === undefined ? {} : { where }),
    ...(tenant === undefined ? {} : { tenant }),
  }
  if (Object.keys(options).length === 0) return []
  const warnings: string[] = []
  for (const plan of plans.filter(({ document }) => documents?.includes(document) ?? true)) {
    try {
      const filter = await readFilter(pool, plan, options, null)
      warnings.push(...filter.warnings.map((text) => `schedules.${name}, ${plan.document}: ${text}`))
    } catch (error) {
      throw inConfiguration(error, name, plan.document)
    }
  }
  return warnings
}

/** The filter speaks of the command's options (`--column`); here they are keys of the configuration. */
function inConfiguration(error: unknown, schedule: string, document: string): unknown {
  if (!(error instanceof SluiceError)) return error
  const { where, message } = error
  const option = where?.startsWith('--') ? where.slice(2) : null
  const what = where === undefined ? message : message.slice(where.length + 2)
  return new ConfigError(`${what}, for ${document}`, {
    where: ['schedules', schedule, ...(option === null ? [] : [option])].join('.'),
    remedy: error.remedy ?? 'Name the documents it is meant for in "documents".',
    cause: error,
  })
}

async function installedHashes(client: ClientBase, schema: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ name: string; hash: string }>(
    `SELECT name, hash FROM ${escapeIdentifier(schema)}.sync_schedule`,
  )
  return new Map(rows.map(({ name, hash }) => [name, hash]))
}

function stepsOf(
  schedules: ReadonlyMap<string, ScheduleDefinition>,
  installed: ReadonlyMap<string, string>,
): Step[] {
  const steps: Step[] = []
  for (const [name, definition] of schedules) {
    const hash = installed.get(name)
    if (hash === scheduleHash(definition)) continue
    const { run, cron, timezone = DEFAULT_TIMEZONE } = definition
    const action = hash === undefined ? 'create' : 'change'
    steps.push({ action, document: null, what: `schedule ${name}: ${run} at ${cron} (${timezone})` })
  }
  for (const name of installed.keys())
    if (!schedules.has(name)) steps.push({ action: 'remove', document: null, what: `schedule ${name}` })
  return steps
}

/**
 * A firing that is due stays due where only the run is another: whichever daemon has the new definition carries it out.
 * Another cron or time zone begins with its next time.
 */
async function writeSchedules(
  pool: Pool,
  schema: string,
  schedules: ReadonlyMap<string, ScheduleDefinition>,
): Promise<void> {
  const table = `${escapeIdentifier(schema)}.sync_schedule`
  await inTransaction(pool, async (client) => {
    await client.query(`DELETE FROM ${table} WHERE name <> ALL ($1)`, [[...schedules.keys()]])
    for (const [name, definition] of schedules) {
      const { cron, timezone = DEFAULT_TIMEZONE, run, documents = null } = definition
      const { rows } = await client.query<{ now: Date; last_at: Date | null }>(
        `SELECT clock_timestamp() AS now, (SELECT last_at FROM ${table} WHERE name = $1) AS last_at`,
        [name],
      )
      const [row] = rows
      if (row === undefined) throw new Error('SELECT without FROM returned no row')
      const nextAt = nextDue({ now: row.now, lastAt: row.last_at }, definition)
      await client.query(
        `INSERT INTO ${table} AS s (name, hash, run, cron, timezone, documents, next_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (name) DO UPDATE
           SET hash = excluded.hash, run = excluded.run, cron = excluded.cron, timezone = excluded.timezone,
               documents = excluded.documents,
               next_at = CASE WHEN (s.cron, s.timezone) = (excluded.cron, excluded.timezone)
                              THEN s.next_at ELSE excluded.next_at END
           WHERE s.hash <> excluded.hash`,
        [name, scheduleHash(definition), run, cron, timezone, documents, nextAt],
      )
    }
  })
}
