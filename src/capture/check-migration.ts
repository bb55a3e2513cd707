import type pg from 'pg'
import { quoteIdentifier } from '../catalog/quote.ts'
import type { DocumentDefinition } from '../config/types.ts'
import { type ConfigError, FailedError } from '../errors.ts'
import { sqlState } from '../postgres/connect.ts'
import { applyDatabase } from './apply-install.ts'
import { compareSnapshots } from './compare-snapshots.ts'
import { type Finding, reindexFinding } from './findings.ts'
import type { MigrationFile } from './migration-file.ts'
import { type InstallPlan, planInstall } from './plan-install.ts'
import type { Step } from './steps.ts'
import { readLocks, type Touch, touchesOf } from './touched.ts'
import { tryStatement } from './try-statement.ts'
import { inUndoneTransaction } from './undone-transaction.ts'
import { readSnapshot, readWatched } from './watched.ts'

export interface MigrationCheck {
  readonly findings: readonly Finding[]
  /** What install would have to do because of it. */
  readonly steps: readonly Step[]
  /** Marks that its changes of data would write. */
  readonly marks: readonly MarkCount[]
  /** Tables of documents that it changes, or whose rows it does. */
  readonly touches: readonly Touch[]
  readonly notes: readonly string[]
}

export interface MarkCount {
  readonly document: string
  readonly keys: number
  readonly everything: boolean
}

export interface CheckInput {
  readonly schema: string
  readonly definitions: ReadonlyMap<string, DocumentDefinition>
  readonly files: readonly MigrationFile[]
}

/** A migration that waits for a lock holds others up: on a database that is in use, check gives up soon. */
const LOCK_TIMEOUT = '2s'

/**
 * Runs migrations of the application in a transaction that is rolled back, and tells what they would break or change.
 * Documents of the configuration that are not installed are installed in that transaction first, so that an empty
 * copy of the application's database with our schema in it will do. Sequences are not set back by a rollback.
 */
export async function checkMigration(pool: pg.Pool, input: CheckInput): Promise<MigrationCheck> {
  try {
    return await inUndoneTransaction(pool, { lock_timeout: LOCK_TIMEOUT }, (client) =>
      tryMigration(client, input),
    )
  } catch (error) {
    if (sqlState(error) !== '55P03') throw error
    throw new FailedError(`a lock was not free within ${LOCK_TIMEOUT}`, {
      remedy: 'Check on a database that nobody else uses: a copy, or that of the continuous integration.',
      cause: error,
    })
  }
}

async function tryMigration(client: pg.PoolClient, input: CheckInput): Promise<MigrationCheck> {
  const { schema, files } = input
  const { refused: refusedBefore, made } = await installMissing(client, input)
  const planBefore = await plan(client, input)
  const watched = await readWatched(client, schema)
  const before = await readSnapshot(client, schema, watched)
  const held = await readLocks(client, watched, before)

  const findings: Finding[] = []
  for (const file of files) {
    for (const statement of file.statements) {
      findings.push(...(await tryStatement(client, { file: file.name, statement, watched, before })))
    }
  }
  // What the files have set must not decide how the configuration is read.
  await client.query('RESET ROLE; RESET ALL')
  const touches = touchesOf(watched, before, held, await readLocks(client, watched, before))
  const after = await readSnapshot(client, schema, watched)
  const planAfter = await plan(client, input)

  const known = new Set(planBefore.steps.map(textOf))
  const reindexedBefore = new Set(planBefore.reindexes.map(({ document }) => document))
  return {
    findings: [
      ...findings,
      ...watched.flatMap((document) => compareSnapshots(document, before, after)),
      ...refusals(planAfter.refused, refusedBefore),
      ...planAfter.reindexes.filter(({ document }) => !reindexedBefore.has(document)).map(reindexFinding),
    ],
    steps: planAfter.steps.filter((step) => !known.has(textOf(step))),
    marks: await countMarks(client, schema),
    touches,
    // Those made here lack an index, of course.
    notes: notesOf(
      files,
      planBefore.steps.filter(({ document }) => document === null || !made.has(document)),
    ),
  }
}

interface Planned {
  readonly steps: readonly Step[]
  readonly changes: InstallPlan['changes']
  readonly reindexes: InstallPlan['reindexes']
  readonly refused: ReadonlyMap<string, ConfigError>
}

async function plan(client: pg.PoolClient, { schema, definitions }: CheckInput): Promise<Planned> {
  const refused = new Map<string, ConfigError>()
  const onRefused = (document: string, error: ConfigError) => {
    refused.set(document, error)
  }
  const { steps, changes, reindexes } = await planInstall(client, {
    schema,
    definitions,
    elasticsearch: null,
    backfill: true,
    onRefused,
  })
  return { steps, changes, reindexes, refused }
}

/** What is refused now may be what the migration makes possible: it is held against what is refused after it. */
async function installMissing(
  client: pg.PoolClient,
  input: CheckInput,
): Promise<{ readonly refused: Planned['refused']; readonly made: ReadonlySet<string> }> {
  const { changes, refused } = await plan(client, input)
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM ${quoteIdentifier(input.schema)}.sync_document`,
  )
  const installed = new Set(rows.map(({ name }) => name))
  const made = new Set<string>()
  for (const change of changes) {
    const name = change.plan.document
    if (installed.has(name)) continue
    await applyDatabase(client, input.schema, { ...change, run: null }, null)
    await client.query('RESET search_path')
    made.add(name)
  }
  return { refused, made }
}

/** Documents that the configuration could not have any more. One that it cannot have anyway is its own fault, and thrown. */
function refusals(
  after: ReadonlyMap<string, ConfigError>,
  before: ReadonlyMap<string, ConfigError>,
): Finding[] {
  return [...after].map(([document, error]) => {
    if (before.get(document)?.message === error.message) throw error
    return {
      effect: 'breaks',
      kind: 'configuration',
      document,
      fields: [],
      where: null,
      what: `the configuration does not fit after it: ${error.message}`,
      remedy: error.remedy ?? 'Change the configuration together with the migration.',
    }
  })
}

async function countMarks(client: pg.PoolClient, schema: string): Promise<MarkCount[]> {
  const { rows } = await client.query<MarkCount>(
    `SELECT document, coalesce(sum(cardinality(keys)), 0)::float8 AS keys, bool_or(keys IS NULL) AS everything
       FROM ${quoteIdentifier(schema)}.sync_queue WHERE origin = pg_current_xact_id() GROUP BY document ORDER BY document`,
  )
  return rows
}

function notesOf(files: readonly MigrationFile[], stepsBefore: readonly Step[]): string[] {
  const cut = files.flatMap(({ name, downFrom }) =>
    downFrom === null ? [] : [`${name}: from line ${downFrom} on it is the way back, which was left out`],
  )
  const pending =
    stepsBefore.length === 0
      ? []
      : [
          `without the migration, sluice install would have ${stepsBefore.length} things to do already: sluice check names them`,
        ]
  return [...cut, ...pending]
}

const textOf = ({ action, what }: Step) => `${action} ${what}`
