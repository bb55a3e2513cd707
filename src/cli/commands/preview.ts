import type { Command } from 'commander'
import type pg from 'pg'
import { previewJson } from '../../answers/json/preview.ts'
import { cleanJson } from '../../documents/clean-json.ts'
import { addressOf } from '../../documents/key-address.ts'
import type { DocumentKey, DocumentPlan } from '../../documents/types.ts'
import { idProblem } from '../../elasticsearch/bulk.ts'
import { readConditions } from '../../postgres/read-settings.ts'
import { rollback } from '../../postgres/transaction.ts'
import { loadDocuments } from '../../sync/load.ts'
import { rowReader } from '../../sync/row-reader.ts'
import { type ChosenPlan, choosePlan, planIn } from '../chosen-plan.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { exactJson } from '../exact-json.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { paint } from '../format.ts'
import { jsonProblem } from '../json-problem.ts'
import { keysOfDocuments } from '../keys-of-documents.ts'
import { absence, readRow } from '../read-row.ts'
import { LEFT_OUT, NOT_AT_HAND, transformed, transformOf } from '../transform-of.ts'

export function registerPreview(program: Command): void {
  program
    .command('preview')
    .description('Show the SQL of a document, its JSON and its address; writes nothing')
    .argument('<document>', 'name of a document, installed or not')
    .argument('<id>', 'its _id; a key of several columns is joined by ":"')
    .addHelpText(
      'after',
      examples(
        ['sluice preview city 42', 'what would be indexed for city 42, as the configuration has it now'],
        ['sluice preview city 42 --json | jq .document', 'the document alone'],
      ),
    )
    .action(action(preview))
}

async function preview(context: CommandContext, name: string, id: string): Promise<ExitCode> {
  const pool = await context.pool()
  const { plan, from, installed } = await choosePlan(context, name)
  const lookup = async () =>
    installed === null
      ? null
      : { database: await context.database(), elasticsearch: await context.elasticsearch() }
  const [key] = await keysOfDocuments(pool, plan, [id], lookup)
  if (key === undefined) return exitCodes.failed
  const raw = await withClient(pool, async (client) => {
    const row = await (from === 'installed'
      ? loadInstalled(client, plan, key)
      : loadUninstalled(context, client, name, key))
    if (row !== nothing) return row
    return { json: null, problem: `there is no document: ${absence(await readRow(client, plan, key), plan)}` }
  })
  const loaded = await made(context, { name, plan, from, installed }, key, raw)
  const { alias, routing } = addressOf(plan, key.parts)
  const document = loaded.json === null ? null : exactJson(cleanJson(loaded.json).toString())
  const problem =
    idProblem(key.id) ?? loaded.problem ?? (loaded.json === null ? null : jsonProblem(loaded.json.toString()))
  const value = {
    name,
    from,
    address: { index: alias, id: key.id, ...(routing === null ? {} : { routing }) },
    key: key.key,
    document,
    problem,
    sql: { view: createdSql(plan), load: plan.loadSql },
    warnings: [...plan.warnings],
  }
  context.output.result(previewJson, value, () =>
    [
      heading(`View (${from === 'installed' ? 'installed' : 'from the configuration, not installed'})`),
      createdSql(plan),
      '',
      heading('Query for some keys'),
      plan.loadSql,
      '',
      heading('Address'),
      `index ${alias}, _id ${key.id}${routing === null ? '' : `, routing ${routing}`}`,
      '',
      heading('Document'),
      ...(loaded.json === null ? [] : [JSON.stringify(document, null, 2)]),
      ...(problem === null ? [] : [paint('yellow', problem)]),
      ...plan.warnings.map((warning) => paint('yellow', `warning: ${warning}`)),
    ].join('\n'),
  )
  return exitCodes.done
}

/** What install creates to compute documents. */
function createdSql({ viewSql, query }: DocumentPlan): string {
  return query === undefined ? viewSql : `${viewSql};\n\n${query.sql}`
}

function heading(text: string): string {
  return paint('bold', `${text}:`)
}

interface LoadedRow {
  readonly json: Buffer | null
  readonly problem: string | null
}

const nothing: LoadedRow = { json: null, problem: null }

/** As the daemon does it. */
async function loadInstalled(
  client: pg.PoolClient,
  plan: DocumentPlan,
  key: DocumentKey,
): Promise<LoadedRow> {
  const { documents, failures } = await loadDocuments(rowReader(client), plan, [key], previewTimeoutMs)
  const [failure] = failures
  if (failure !== undefined) return { json: null, problem: failure.reason }
  return documents.get(key.key) ?? nothing
}

/** What the configuration's function makes of it. */
async function made(
  context: CommandContext,
  { name, plan, from, installed }: ChosenPlan & { readonly name: string },
  key: DocumentKey,
  row: LoadedRow,
): Promise<LoadedRow> {
  if (!plan.transform || row.json === null || row.problem !== null) return row
  const transform =
    from === 'installed' && installed !== null
      ? await transformOf(context, installed)
      : ((await context.definitions()).get(name)?.transform ?? 'unknown')
  if (transform === 'unknown') return { ...row, problem: `${NOT_AT_HAND}: this is what it is given` }
  const loaded = await transformed(name, transform, key, { ...row, key: key.key })
  return loaded.json === null && loaded.problem === null ? { json: null, problem: LEFT_OUT } : loaded
}

/** A view in pg_temp computes the same as the one that install would create, and is rolled back. */
async function loadUninstalled(
  context: CommandContext,
  client: pg.PoolClient,
  name: string,
  key: DocumentKey,
): Promise<LoadedRow> {
  const definition = (await context.definitions()).get(name)
  if (definition === undefined) return nothing
  const plan = await planIn(context, 'pg_temp', name, definition)
  try {
    await client.query(`BEGIN; ${readConditions}; SET LOCAL statement_timeout = ${previewTimeoutMs}`)
    await client.query(plan.viewSql)
    if (plan.query !== undefined) await client.query(plan.query.sql)
    const { rows } = await client.query<{ key: string; document: string; problem: string | null }>(
      plan.loadSql,
      key.parts.slice(0, plan.idParts).map((part) => [part]),
    )
    // Exact text decides, as in a batch: a case-insensitive collation finds other rows as well.
    const row = rows.find((found) => found.key === key.key)
    return row === undefined ? nothing : { json: Buffer.from(row.document), problem: row.problem }
  } finally {
    await rollback(client)
  }
}

/** For a person who waits; one row takes a millisecond unless its table is locked. */
const previewTimeoutMs = 30_000

async function withClient<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    return await work(client)
  } finally {
    client.release()
  }
}
