import type { Status } from '../answers/read-status.ts'
import { laterColumnsText } from '../capture/later-columns.ts'
import { count, duration, estimate, paint, waitingKeys } from './format.ts'
import { progressText } from './progress.ts'
import { schedulesText } from './schedules-text.ts'
import { table } from './table.ts'

/** A status for people. */
export function statusText(status: Status): string {
  return [
    ...alertLines(status),
    documentsText(status.documents),
    ...status.documents.flatMap(documentNotes),
    ...status.notInstalled.map((name) =>
      paint('yellow', `${name} is in the configuration and not installed: sluice install`),
    ),
    '',
    workersText(status.workers),
    ...pausesText(status.workers),
    '',
    ...runLines(status.runs),
    ...failedRunLines(status.failedRuns),
    ...schedulesText(status),
    indicesText(status.indices),
  ].join('\n')
}

/** What a note of its document says already is not said twice. */
function alertLines({ alerts, documents }: Status): string[] {
  if (alerts.length === 0) return []
  const lines = alerts.map(({ name, document, severity, since, reason }) => {
    const of = document === null ? name : `${name} of ${document}`
    const noted = documents.some((one) => one.name === document && [one.alarm, one.reason].includes(reason))
    const text = `${severity}: ${of} (since ${timeText(since)})${noted ? '' : `: ${reason}`}`
    return paint(severity === 'critical' ? 'red' : 'yellow', text)
  })
  return [...lines, '']
}

function documentsText(documents: Status['documents']): string {
  if (documents.length === 0) return 'No document is installed.'
  const right = { align: 'right' } as const
  return table(
    [
      { head: 'document' },
      { head: 'state' },
      { head: 'pending', ...right },
      { head: 'oldest', ...right },
      { head: 'lag', ...right },
      { head: 'p99', ...right },
      { head: 'per minute', ...right },
      { head: 'retrying', ...right },
      { head: 'dead', ...right },
    ],
    documents.map((document) => [
      document.name,
      document.state === 'active' ? document.state : paint('yellow', document.state),
      estimate(document.pendingKeys + document.parkedKeys, document.keysAreExact),
      optional(document.oldestPendingMs),
      optional(document.averageLagMs),
      optional(document.p99LagMs),
      count(document.syncedLastMinute),
      alarming(document.retrying),
      alarming(document.dead),
    ]),
  )
}

/** All that a table cell cannot say. */
function documentNotes(document: Status['documents'][number]): string[] {
  const { name, reason, alarm, definition, laterColumns, attended, blockedKeys, keysAreExact } = document
  const changed = `is not as the configuration has it: sluice install puts that into effect`
  const missing = 'is installed and not in the configuration'
  return [
    ...(reason === null ? [] : [reason]),
    ...(alarm === null ? [] : [alarm]),
    ...(definition === 'changed' ? [changed] : []),
    ...(definition === 'missing' ? [missing] : []),
    ...laterColumns.map((later) => `${laterColumnsText(later)}: sluice install adds them`),
    ...(attended ? [] : ['no daemon works on it: sluice run']),
    // What the brake has parked its alarm says.
    ...(blockedKeys > 0 ? [`${waitingKeys(blockedKeys, keysAreExact)} for an index that is blocked`] : []),
  ].map((text) => paint('yellow', `${name}: ${text}`))
}

function workersText(workers: Status['workers']): string {
  if (workers.length === 0) return paint('yellow', 'No daemon has been seen within an hour: sluice run')
  return table(
    [
      { head: 'daemon' },
      { head: 'state' },
      { head: 'version' },
      { head: 'seen', align: 'right' },
      { head: 'waits for' },
    ],
    workers.map(({ instance, alive, state, version, seenMsAgo, reason, since }) => [
      instance,
      alive || state === 'stopped' ? state : paint('red', 'vanished'),
      version,
      `${duration(seenMsAgo)} ago`,
      reason === null ? '' : `${reason} (since ${timeText(since)})`,
    ]),
  )
}

/** Each once, however many daemons say so; what one that is gone has said last is not so any more. */
function pausesText(workers: Status['workers']): string[] {
  const pauses = workers.filter(({ alive }) => alive).flatMap((worker) => worker.pauses)
  const same = Map.groupBy(pauses, ({ document, index, reason }) =>
    index === null
      ? `${document} waits: ${reason}`
      : `${document}: ${index} takes no writes, its keys are parked: ${reason}`,
  )
  return [...same].map(([text, all]) => {
    const [since = ''] = all.map((pause) => pause.since).sort()
    return paint('yellow', `${text} (since ${timeText(since)})`)
  })
}

function runLines(runs: Status['runs']): string[] {
  if (runs.length === 0) return []
  const lines = runs.map(
    ({ id, kind, document, state, processed, total, perSecond, remainingMs, waitsFor }) =>
      `run ${id}: ${kind} of ${document} is ${state}: ${progressText({ done: processed, total, perSecond, remainingMs })}` +
      (waitsFor === null ? '' : `; ${paint('yellow', `it waits for ${waitsFor}`)}`),
  )
  return [...lines, '']
}

function failedRunLines(runs: Status['failedRuns']): string[] {
  if (runs.length === 0) return []
  const lines = runs.map(({ id, kind, document, error, endedAt }) =>
    paint(
      'red',
      `run ${id}: the last ${kind} of ${document} failed, ${timeText(endedAt)}: ${error?.split('\n')[0] ?? 'no reason was given'}; sluice runs show ${id}`,
    ),
  )
  return [...lines, '']
}

function indicesText(indices: Status['indices']): string {
  if (indices.length === 0) return 'No index.'
  return table(
    [{ head: 'index' }, { head: 'alias' }, { head: 'role' }, { head: 'created' }],
    indices.map(({ name, alias, role, createdAt, dropAt }) => [
      name,
      alias,
      dropAt === null ? role : `${role} until ${timeText(dropAt)}`,
      timeText(createdAt),
    ]),
  )
}

function timeText(utc: string): string {
  return `${utc.slice(0, 19).replace('T', ' ')} UTC`
}

function optional(ms: number | null): string {
  return ms === null ? '-' : duration(ms)
}

function alarming(n: number): string {
  return n === 0 ? '0' : paint('red', count(n))
}
