import { Cron } from 'croner'

/** When a schedule is due: a cron expression of five fields, read in a time zone. Pure: the present is an argument. */

/** Schedules without a time zone of their own. Not the host's: all instances have to mean the same moment. */
export const DEFAULT_TIMEZONE = 'UTC'

const FIELDS = [
  { name: 'minute', takes: '0 to 59' },
  { name: 'hour', takes: '0 to 23' },
  { name: 'day of the month', takes: '1 to 31, or L for the last' },
  { name: 'month', takes: '1 to 12, or JAN to DEC' },
  { name: 'day of the week', takes: '0 (Sunday) to 7, or SUN to SAT' },
] as const

/** What is wrong with a cron expression, to be put after what was expected; null when it can be read and comes. */
export function cronProblem(text: string): string | null {
  const fields = text.trim().split(/\s+/)
  if (fields.length !== FIELDS.length) return `it has ${fields.length}`
  for (const [n, { name, takes }] of FIELDS.entries()) {
    const alone = FIELDS.map((_, other) => (other === n ? fields[n] : '*')).join(' ')
    if (read(alone) === null) return `the ${name} is "${fields[n]}", and takes ${takes}`
  }
  const cron = read(text)
  if (cron === null) return 'it cannot be read'
  return cron.nextRun() === null ? 'it never comes' : null
}

/** When a schedule is due first after a moment. It was checked: without a year, what comes once comes again. */
export function dueAfter(cron: string, timezone: string, after: Date): Date {
  const next = parse(cron, timezone).nextRun(after)
  if (next === null) throw new Error(`"${cron}" never comes after ${after.toISOString()}`)
  return next
}

function read(text: string): Cron | null {
  try {
    return parse(text, DEFAULT_TIMEZONE)
  } catch {
    return null
  }
}

/**
 * Where clocks change, a schedule with fixed times runs once that day, whether its hour is left out (then at the first
 * moment after the gap) or comes twice (then at the first of the two). With `*` or a step in minute or hour it is an
 * interval, and follows the time as it passes. "no-wildcard" counts `30 2,14 * * *` among the fixed, as cron does.
 */
function parse(cron: string, timezone: string): Cron {
  return new Cron(cron, { mode: '5-part', timezone, fixedTimeRule: 'no-wildcard' })
}
