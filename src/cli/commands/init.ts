import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import type { Command } from 'commander'
import { readCatalog } from '../../catalog/read-catalog.ts'
import { findConfigFile } from '../../config/find.ts'
import { ConfigError, FailedError } from '../../errors.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { count } from '../format.ts'
import { initJson } from '../json/init.ts'
import { propose } from '../proposal.ts'
import { proposalText } from '../proposal-text.ts'

export function registerInit(program: Command): void {
  program
    .command('init')
    .description('Read the database and propose a configuration for its tables')
    .option('--force', 'replace the file that is there')
    .option('--stdout', 'print it and write no file')
    .addHelpText(
      'after',
      examples(
        ['sluice init', 'write sluice.config.ts in this folder'],
        ['sluice init --database-url postgres://me@db/shop --stdout', 'look at it first'],
      ),
    )
    .action(action(init))
}

async function init(context: CommandContext, options: { force?: true; stdout?: true }): Promise<ExitCode> {
  const target = options.stdout ? null : await targetFile(process.cwd(), options.force ?? false)
  // After the target: a file that is in the way is refused whatever the database says.
  const { schema } = await context.base()
  const proposal = propose(await readCatalog(await context.pool()), schema)
  const text = proposalText(proposal, canImportSluice(process.cwd()))
  if (target !== null) await write(target, text, options.force ?? false)
  const value = {
    file: target,
    text,
    documents: proposal.documents.map(({ name }) => name),
    skipped: [...proposal.skipped],
  }
  context.output.result(initJson, value, () => (target === null ? text.trimEnd() : summary(target, value)))
  return exitCodes.done
}

function summary(
  target: string,
  { documents, skipped }: { documents: string[]; skipped: unknown[] },
): string {
  const left = skipped.length === 0 ? '' : `, ${count(skipped.length)} tables left out (the file says why)`
  return [
    `Wrote ${basename(target)}: ${count(documents.length)} documents${left}.`,
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
