import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import type { Command } from 'commander'
import type pg from 'pg'
import { initJson } from '../../answers/json/init.ts'
import { readCatalog } from '../../catalog/read-catalog.ts'
import { quotedTableText } from '../../catalog/table-name.ts'
import type { Catalog } from '../../catalog/types.ts'
import { findConfigFile } from '../../config/find.ts'
import { ConfigError, FailedError } from '../../errors.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { plural } from '../format.ts'
import type { Remark } from '../pgsync/remarks.ts'
import { type Proposal, type ProposedDocument, propose } from '../proposal.ts'
import { proposalText } from '../proposal-text.ts'
import { findRefusedValues } from '../refused-values.ts'

export function registerInit(program: Command): void {
  program
    .command('init')
    .description('Read the database and propose a configuration for its tables')
    .option('--from-pgsync <file>', 'translate a schema file of PGSync, instead of proposing every table')
    .option('--force', 'replace the file that is there')
    .option('--stdout', 'print it and write no file')
    .addHelpText(
      'after',
      examples(
        ['sluice init', 'write sluice.config.ts in this folder'],
        ['sluice init --database-url postgres://me@db/shop --stdout', 'look at it first'],
        ['sluice init --from-pgsync schema.json', 'exit code 3 where something could not be translated'],
      ),
    )
    .action(action(init))
}

interface InitOptions {
  readonly fromPgsync?: string
  readonly force?: true
  readonly stdout?: true
}

async function init(context: CommandContext, options: InitOptions): Promise<ExitCode> {
  const target = options.stdout ? null : await targetFile(process.cwd(), options.force ?? false)
  // After the target: a file that is in the way is refused whatever the database says.
  const { proposal, remarks } = await proposed(context, options)
  const text = proposalText(proposal, canImportSluice(process.cwd()))
  if (target !== null) await write(target, text, options.force ?? false)
  const value = {
    file: target,
    text,
    documents: proposal.documents.map(({ name }) => name),
    skipped: [...proposal.skipped],
    remarks: [...remarks],
  }
  context.output.result(initJson, value, () => (target === null ? text.trimEnd() : summary(target, value)))
  return remarks.some(({ remedy }) => remedy !== null) ? exitCodes.differences : exitCodes.done
}

async function proposed(
  context: CommandContext,
  { fromPgsync }: InitOptions,
): Promise<{ readonly proposal: Proposal; readonly remarks: readonly Remark[] }> {
  const { schema } = await context.base()
  if (fromPgsync === undefined) {
    const pool = await context.pool()
    const catalog = await readCatalog(pool)
    return withRefusedValues(pool, catalog, propose(catalog, schema))
  }
  const { importPgsync } = await import('../pgsync/import.ts')
  const proposal = await importPgsync(() => context.pool(), fromPgsync, schema)
  return { proposal, remarks: proposal.remarks }
}

/** Looking at rows is worth so much of a person's time, however many tables there are. */
const LOOK_FOR_MS = 10_000

/** The proposal, with a note on each column that holds what no index takes, as far as a short look shows it. */
async function withRefusedValues(
  pool: pg.Pool,
  catalog: Catalog,
  proposal: Proposal,
): Promise<{ readonly proposal: Proposal; readonly remarks: readonly Remark[] }> {
  const until = performance.now() + LOOK_FOR_MS
  const remarks: Remark[] = []
  const documents: ProposedDocument[] = []
  for (const document of proposal.documents) {
    const { name, definition, notes } = document
    const table = catalog.tables.find((one) => quotedTableText(one) === definition.table)
    const columns = table?.columns.filter((column) => !definition.omit?.includes(column.name)) ?? []
    const found =
      table === undefined || performance.now() > until ? [] : await findRefusedValues(pool, table, columns)
    const said = found.map(({ column, reason }) => ({
      where: `${name}.${column}`,
      what: `in some rows it is ${reason}. They would be dead letters; what to do: docs/mappings.md, "What does not fit"`,
      remedy: null,
    }))
    remarks.push(...said)
    const own = found.map(({ column }, n) => `${column}: ${said[n]?.what}`)
    documents.push({ ...document, notes: [...notes, ...own] })
  }
  return { proposal: { ...proposal, documents }, remarks }
}

interface Summarized {
  readonly documents: readonly string[]
  readonly skipped: readonly unknown[]
  readonly remarks: readonly Remark[]
}

function summary(target: string, { documents, skipped, remarks }: Summarized): string {
  const left =
    skipped.length === 0 ? '' : `, ${plural(skipped.length, 'table', 'tables')} left out (the file says why)`
  return [
    `Wrote ${basename(target)}: ${plural(documents.length, 'document', 'documents')}${left}.`,
    ...remarks.flatMap(({ where, what, remedy }) => [
      `  ${where}: ${what}`,
      ...(remedy === null ? [] : [`    → ${remedy}`]),
    ]),
    'Read it, change it, try one document with sluice preview, then: sluice install',
  ].join('\n')
}

/** The file to write; a ConfigError when that would replace a configuration, or be a second one. */
async function targetFile(cwd: string, force: boolean): Promise<string> {
  const target = join(cwd, (await isCommonJs(cwd)) ? 'sluice.config.mts' : 'sluice.config.ts')
  const present = await findConfigFile(cwd)
  if (present === null || (present === target && force)) return target
  throw new ConfigError('there is a configuration already', {
    where: basename(present),
    remedy:
      present === target
        ? 'sluice init --force replaces it, sluice init --stdout prints a new one.'
        : 'Remove it first, or print a new one with sluice init --stdout.',
  })
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  try {
    // wx: also refuses a file that appeared meanwhile.
    await writeFile(file, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    throw new FailedError(`cannot be written: ${error instanceof Error ? error.message : error}`, {
      where: file,
    })
  }
}

/** In such a package a .ts file is CommonJS, and could neither import nor export. The nearest package.json decides. */
async function isCommonJs(folder: string): Promise<boolean> {
  const manifest = await readFile(join(folder, 'package.json'), 'utf8').catch(() => null)
  if (manifest !== null) return /"type"\s*:\s*"commonjs"/.test(manifest)
  return dirname(folder) === folder ? false : isCommonJs(dirname(folder))
}

function canImportSluice(cwd: string): boolean {
  try {
    createRequire(join(cwd, 'sluice.config.ts')).resolve('sluice')
    return true
  } catch {
    return false
  }
}
