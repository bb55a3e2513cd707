import type { z } from 'zod'
import type { errorJson } from '../answers/json/error.ts'
import { describeError, SluiceError } from '../errors.ts'
import { paint } from './format.ts'
import { createProgress, type Progress } from './progress.ts'

/**
 * Where a command's words go. Standard output holds what was asked for: text, or with --json exactly one JSON
 * document, which is `{"error": …}` when the command fails. Standard error holds what is said on the way, and
 * errors without --json. So both can be piped, and a program that reads standard output always gets one document.
 */
export interface Output {
  readonly json: boolean
  /** What was asked for; once. `human` is its text, `schema` what programs may rely on. */
  result<Schema extends z.ZodType>(schema: Schema, value: z.input<Schema>, human: () => string): void
  /** Said on the way; not with --json or --quiet. */
  note(text: string): void
  /** Something to look at; standard error, always. */
  warn(text: string): void
  /** A bar on a terminal, a line every few seconds elsewhere, nothing with --json or --quiet. */
  progress(label: string): Promise<Progress>
}

export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

export function createOutput({ json, quiet, stdout, stderr }: OutputOptions): Output {
  return {
    json,
    result: (schema, value, human) => {
      // Parsed, so that what is promised is what is printed: a key the schema lacks is an error here, and in tests.
      const text = json ? JSON.stringify(schema.parse(value), null, 2) : human()
      stdout.write(`${text}\n`)
    },
    note: (text) => {
      if (!json && !quiet) stderr.write(`${text}\n`)
    },
    warn: (text) => {
      stderr.write(`${paint('yellow', 'warning:', stderr)} ${text}\n`)
    },
    progress: (label) =>
      createProgress(label, { stream: stderr, silent: json || quiet, now: () => performance.now() }),
  }
}

/** The only JSON document of a command that failed. */
export function errorDocument(error: unknown): z.infer<typeof errorJson> {
  const ours = error instanceof SluiceError ? error : null
  return {
    error: {
      code: ours?.code ?? 'failed',
      message: error instanceof Error ? error.message : String(error),
      where: ours?.where ?? null,
      remedy: ours?.remedy ?? null,
    },
  }
}

/** Says why a command failed: text on standard error, or with --json the document on standard output. */
export function printError(error: unknown, { json }: { readonly json: boolean }): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(errorDocument(error), null, 2)}\n`)
    return
  }
  // An error that is none of ours is a fault of ours: its stack is what we need to hear.
  const text =
    error instanceof SluiceError || !(error instanceof Error)
      ? describeError(error)
      : (error.stack ?? error.message)
  process.stderr.write(`${paint('red', 'error:', process.stderr)} ${text}\n`)
}
