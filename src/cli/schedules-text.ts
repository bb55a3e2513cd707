import type { Status } from '../answers/read-status.ts'
import { paint } from './format.ts'
import { table } from './table.ts'

type Schedule = Status['schedules'][number]
type ScheduledRun = NonNullable<Schedule['last']>['runs'][number]

/** The schedules of a status for people, and an empty line; nothing where there is none. */
export function schedulesText({ schedules, schedulesNotInstalled }: Status): string[] {
  const notInstalled = schedulesNotInstalled.map((name) =>
    paint('yellow', `schedule ${name} is in the configuration and not installed: sluice install`),
  )
  if (schedules.length === 0) return notInstalled.length === 0 ? [] : [...notInstalled, '']
  const rows = schedules.map(({ name, run, nextAt, nextAtLocal, timezone, last }) => [
    name,
    run,
    `${nextAtLocal} ${timezone}`,
    minute(nextAt),
    last === null ? '-' : `${minute(last.dueAt)}: ${outcome(last.runs)}`,
  ])
  const heads = ['schedule', 'run', 'next', 'next, UTC', 'last, UTC'].map((head) => ({ head }))
  return [table(heads, rows), ...schedules.flatMap(notes), ...notInstalled, '']
}

/** `2 done, 1 left out`. */
function outcome(runs: readonly ScheduledRun[]): string {
  if (runs.length === 0) return 'no document'
  const word = ({ skipped, state }: ScheduledRun) => (skipped !== null ? 'left out' : (state ?? 'ended'))
  return [...Map.groupBy(runs, word)].map(([what, all]) => `${all.length} ${what}`).join(', ')
}

function notes({ name, definition, attended, last }: Schedule): string[] {
  return [
    ...(definition === 'changed'
      ? ['is not as the configuration has it: sluice install puts that into effect']
      : []),
    ...(definition === 'missing'
      ? ['is installed and not in the configuration: sluice install removes it']
      : []),
    ...(attended ? [] : ['no daemon fires it: sluice run']),
    ...(last?.runs ?? []).flatMap(({ document, skipped }) =>
      skipped === null ? [] : [`${document} was left out: ${skipped}`],
    ),
  ].map((text) => paint('yellow', `schedule ${name}: ${text}`))
}

const minute = (utc: string) => utc.slice(0, 16).replace('T', ' ')
