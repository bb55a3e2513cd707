import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { FailedError } from '../../../src/errors.ts'
import type { Account } from './account.ts'

export interface ToolOptions {
  readonly cwd?: string
  readonly account?: Account | null
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Runs a program to its end and returns what it wrote; rejects with that when it fails. */
export async function runTool(
  file: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<string> {
  const child = spawn(file, args, {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.env ? { env: options.env } : {}),
    ...options.account,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const failure = once(child, 'error').then(([cause]) => {
    throw new FailedError(`${file} does not run`, { cause })
  })
  const [output, errors, [code, signal]] = await Promise.race([
    Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]),
    failure,
  ])
  if (code !== 0)
    throw new FailedError(`${file} ended with ${signal ?? code}:\n${errors.trim() || output.trim()}`)
  return output + errors
}
