import { UsageError } from '../errors.ts'

/** Nothing that is asked for is nested deeper than twice. */
const DEEPEST = 20

/**
 * Refuses what Postgres can keep in no text and no jsonb: U+0000, and half of a surrogate pair. Before anything is asked of it,
 * for the audit would stumble over it first. Names of fields are looked at like values. Says where, and quotes nothing.
 *
 * @param where `of the body`
 */
export function assertStorable(value: unknown, where: string): void {
  if (isStorable(value, 0)) return
  throw new UsageError(
    `something ${where} cannot be stored: U+0000, half of a surrogate pair, or more than ${DEEPEST} levels`,
  )
}

function isStorable(value: unknown, depth: number): boolean {
  if (depth > DEEPEST) return false
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0')
  if (Array.isArray(value)) return value.every((one) => isStorable(one, depth + 1))
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, one]) => isStorable(name, depth) && isStorable(one, depth + 1))
}
