import { ConfigError } from '../errors.ts'

/** Something wrong with the configuration or the environment. */
export interface Problem {
  /** Path in the configuration (`documents.city.index`), variable (`BATCH_SIZE`) or flag (`--schema`). */
  readonly where: string
  /** Value and expectation. */
  readonly what: string
  readonly remedy?: string
}

/** One error for all that was found, so that a configuration is put right in one go. */
export function configError(
  [first, ...rest]: readonly [Problem, ...Problem[]],
  file: string | null,
): ConfigError {
  if (rest.length === 0) {
    const remedy = first.remedy === undefined ? {} : { remedy: first.remedy }
    return new ConfigError(first.what, { where: first.where, ...remedy })
  }
  const lines = [first, ...rest].map(
    ({ where, what, remedy }) => `\n  ${where}: ${what}${remedy === undefined ? '' : `\n    → ${remedy}`}`,
  )
  const among = file === null ? 'in the settings' : `in the settings and ${file}`
  return new ConfigError(`${lines.length} problems ${among}:${lines.join('')}`)
}

/** Throws when there are any. */
export function refuse(problems: readonly Problem[], file: string | null): void {
  const [first, ...rest] = problems
  if (first !== undefined) throw configError([first, ...rest], file)
}

const shownLength = 80

/** A value in a message: JSON, cut where it is long. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {
    // Circular, or a bigint inside.
  }
  text ??= String(value)
  return text.length > shownLength ? `${text.slice(0, shownLength - 1)}…` : text
}
