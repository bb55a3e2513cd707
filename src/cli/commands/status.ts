import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { statusJson } from '../../answers/json/status.ts'
import { type Configured, readStatus } from '../../answers/read-status.ts'
import { ConfigError, describeError, UnreachableError, UsageError } from '../../errors.ts'
import { action, examples } from '../command.ts'
import type { CommandContext, Database } from '../context.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { paint } from '../format.ts'
import { statusText } from '../status-text.ts'

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('How documents, daemons, runs, schedules and indices are doing')
    .option('--watch', 'again every second, until Ctrl-C')
    .addHelpText(
      'after',
      examples(
        ['sluice status', 'what is pending, how late it is, what failed'],
        ['sluice status --watch', 'the same, every second'],
        ["sluice status --json | jq '.documents[] | {name, pendingKeys, dead}'", 'for a program'],
      ),
    )
    .action(action(status))
}

async function status(context: CommandContext, { watch = false }: { watch?: boolean }): Promise<ExitCode> {
  const { output } = context
  if (watch && output.json) {
    throw new UsageError('--watch prints many, --json prints one document: ask for one of them')
  }
  const database = await context.database()
  const configured = await readConfigured(context)
  if (watch) {
    await watchStatus(context, database, configured)
    return exitCodes.done
  }
  const value = await readStatus(database, configured)
  output.result(statusJson, value, () => statusText(value))
  return exitCodes.done
}

/** A configuration that is broken must not hide how the daemons are doing. */
async function readConfigured({
  base,
  definitions,
  schedules,
  output,
}: CommandContext): Promise<Configured | null> {
  if ((await base()).file === null) return null
  try {
    return { documents: await definitions(), schedules: await schedules() }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    output.warn(describeError(error))
    return null
  }
}

const everyMs = 1000

/** Goes on through a restart of Postgres: that is when one looks. */
async function watchStatus(
  context: CommandContext,
  database: Database,
  configured: Configured | null,
): Promise<void> {
  const signal = context.interrupted
  while (!signal.aborted) {
    const text = await readStatus(database, configured).then(statusText, async (error: unknown) => {
      const explained = await context.explain(error)
      if (!(explained instanceof UnreachableError)) throw explained
      return paint('red', describeError(explained))
    })
    show(text)
    await delay(everyMs, undefined, { signal }).catch(() => undefined)
  }
}

/** On a terminal in place: home, the text with the rest of each line erased, and what is below erased. */
function show(text: string): void {
  const time = new Date().toISOString().slice(11, 19)
  const lines = `${paint('dim', `${time} UTC, every second; Ctrl-C ends it`)}\n\n${text}`
  process.stdout.write(
    process.stdout.isTTY
      ? `\u001b[H${lines.replaceAll('\n', '\u001b[K\n')}\u001b[K\n\u001b[J`
      : `${lines}\n\n`,
  )
}
