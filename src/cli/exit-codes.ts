import { SluiceError } from '../errors.ts'

/** How a command ends; the same five for every command. */
export const exitCodes = {
  /** What was asked is done. */
  done: 0,
  /** Understood, tried, and did not succeed. */
  failed: 1,
  /** Wrong usage, configuration or environment: nothing was changed. */
  usage: 2,
  /** It ran, and found differences or findings. */
  differences: 3,
  /** Postgres or Elasticsearch does not answer, or refuses us. */
  unreachable: 4,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const codes: Readonly<Record<SluiceError['code'], ExitCode>> = {
  config: exitCodes.usage,
  usage: exitCodes.usage,
  schema: exitCodes.usage,
  unreachable: exitCodes.unreachable,
  'document-query': exitCodes.failed,
  failed: exitCodes.failed,
}

/** Exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof SluiceError ? codes[error.code] : exitCodes.failed
}
