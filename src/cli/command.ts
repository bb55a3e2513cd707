import type { Command } from 'commander'
import { type CommandContext, openContext } from './context.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'

/**
 * Makes a commander action of a command's function: opens the context, closes it whatever happens, sets the exit
 * code that the function returns (0 where it returns none). Errors pass through to dispatch.ts, which prints them once.
 *
 * The function gets the context and then what commander passes: the positional arguments and the command's own
 * options (global ones are in the context).
 */
export function action<Received extends unknown[]>(
  run: (context: CommandContext, ...received: Received) => Promise<ExitCode> | Promise<void>,
): (this: Command, ...received: Received) => Promise<void> {
  return async function (this: Command, ...received) {
    const context = openContext(this)
    try {
      const code = await run(context, ...received)
      process.exitCode = typeof code === 'number' ? code : exitCodes.done
    } catch (error) {
      throw await context.explain(error)
    } finally {
      await context.close()
    }
  }
}

/** The end of a command's help: command lines, and what each does. */
export function examples(...lines: readonly (readonly [commandLine: string, what: string])[]): string {
  const width = Math.max(...lines.map(([commandLine]) => commandLine.length))
  return ['', 'Examples:', ...lines.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`)].join('\n')
}
