import { describeError, UsageError } from '../../src/errors.ts'

/** What a program of this repository that starts servers is made of: they end with it, whatever ends it. */

/** What it has started, closed in the end. */
export const closing = new AsyncDisposableStack()

const begun = performance.now()

/** Tells whoever watches, with the seconds since it began. */
export function say(text: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(6)
  process.stderr.write(`${seconds} s  ${text}\n`)
}

/**
 * Runs it to its exit code: what `story` resolves to; 130 after a signal, 2 for wrong usage, 1 for any other error. Not only
 * the first signal is caught: a server that is just starting has its guard, which ends it when this process is gone.
 */
export async function runProgram(story: () => Promise<number>): Promise<never> {
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        say(`${signal}: everything is being stopped`)
        resolve(130)
      })
    }
  })
  try {
    process.exitCode = await Promise.race([story(), interrupted])
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`)
    process.exitCode = error instanceof UsageError ? 2 : 1
  } finally {
    await closing.disposeAsync()
    process.exit()
  }
}
