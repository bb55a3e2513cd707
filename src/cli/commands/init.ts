import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import type { Command } from 'commander'
import { initJson } from '../../answers/json/init.ts'
import { readCatalog } from '../../catalog/read-catalog.ts'
import { findConfigFile } from '../../config/find.ts'
import { ConfigError, FailedError } from '../../errors.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { count } from '../format.ts'
import type { Remark } from '../pgsync/remarks.ts'
import { type Proposal, propose } from '../proposal.ts'
import { proposalText } from '../proposal-text.ts'

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
    return { proposal: propose(await readCatalog(await context.pool()), schema), remarks: [] }
  }
  const { importPgsync } = await import('../pgsync/import.ts')
  const proposal = await importPgsync(() => context.pool(), fromPgsync, schema)
  return { proposal, remarks: proposal.remarks }
}

interface Summarized {
  readonly documents: readonly string[]
  readonly skipped: readonly unknown[]
  readonly remarks: readonly Remark[]
}

function summary(target: string, { documents, skipped, remarks }: Summarized): string {
  const left = skipped.length === 0 ? '' : `, ${count(skipped.length)} tables left out (the file says why)`
  return [
    `Wrote ${basename(target)}: ${count(documents.length)} documents${left}.`,
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
