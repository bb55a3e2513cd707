import type { Status } from '../../answers/read-status.ts'
import type { Condition } from '../../queue/read-conditions.ts'
import { count, duration, waitingKeys } from '../format.ts'
import { type DoctorFinding, error, warning } from './finding.ts'

/** What is the matter with documents, with those who work on them, and with what was asked for. By the database alone. */
export function workFindings(status: Status, lasting: readonly Condition[]): DoctorFinding[] {
  return [
    ...status.documents.flatMap(documentFindings),
    ...workerFindings(status),
    ...status.schedules.flatMap(scheduleFindings),
    ...status.failedRuns.map(failedRunFinding),
    ...lasting.flatMap(lastingFindings),
  ]
}

function documentFindings(document: Status['documents'][number]): DoctorFinding[] {
  const { name, state, reason, alarm, attended, blockedKeys, keysAreExact, dead, retrying } = document
  const findings: DoctorFinding[] = []
  if (state === 'paused')
    findings.push(
      error('document_paused', name, {
        what: 'is paused',
        evidence: reason,
        remedy: `sluice resume ${name}`,
      }),
    )
  if (state === 'detached')
    findings.push(
      error('document_detached', name, {
        what: 'is detached: no change is seen',
        evidence: reason,
        remedy: 'sluice install',
      }),
    )
  if (alarm !== null) findings.push(error('document_alarm', name, { what: 'has an alarm', evidence: alarm }))
  if (state === 'active' && !attended)
    findings.push(
      error('no_worker', name, {
        what: 'is worked on by no daemon',
        evidence: waitingKeys(document.pendingKeys, keysAreExact),
        remedy: 'sluice run',
      }),
    )
  if (blockedKeys > 0)
    findings.push(
      error('index_blocked', name, {
        what: 'has a blocked index',
        evidence: `${waitingKeys(blockedKeys, keysAreExact)} for an index that takes no writes`,
        remedy: 'sluice status',
        advice: 'it says which index, and why',
      }),
    )
  if (dead > 0)
    findings.push(
      error('dead_letters', name, {
        what: 'has documents that cannot be indexed',
        evidence: `${count(dead)} are dead`,
        remedy: `sluice failed list ${name}`,
        advice: `it says why; sluice failed retry ${name} when the cause is gone`,
      }),
    )
  if (retrying > 0)
    findings.push(
      warning('retrying', name, {
        what: 'has documents that failed',
        evidence: `${count(retrying)} are being retried`,
        remedy: `sluice failed list ${name}`,
      }),
    )
  return findings
}

function workerFindings({ workers: all }: Status): DoctorFinding[] {
  const vanished = all.filter(({ alive, state }) => !alive && state !== 'stopped')
  const pauses = all.filter(({ alive }) => alive).flatMap((worker) => worker.pauses)
  return [
    ...pauses.map(({ document, index, reason, since }) =>
      error('sending_paused', document, {
        what: index === null ? 'is not sent' : `is not sent to ${index}`,
        evidence: `${reason} (since ${since})`,
        advice: 'it goes on by itself when the cause is gone',
      }),
    ),
    ...vanished.map(({ instance, seenMsAgo }) =>
      warning('worker_vanished', null, {
        what: `daemon ${instance} has vanished`,
        evidence: `last seen ${duration(seenMsAgo)} ago, without an orderly end`,
        advice: 'look at its log, and at what keeps it running',
      }),
    ),
  ]
}

function scheduleFindings({ name, attended, nextAt }: Status['schedules'][number]): DoctorFinding[] {
  if (attended) return []
  return [
    error('schedule_unattended', null, {
      what: `schedule ${name} is fired by no daemon`,
      evidence: `no living daemon has it as it is installed; it is due at ${nextAt}`,
      remedy: 'sluice run',
      advice: 'with the installed configuration; or sluice install with this one',
    }),
  ]
}

function failedRunFinding({ id, kind, document, error: why, endedAt }: Status['failedRuns'][number]) {
  return error('run_failed', document, {
    what: `has a last ${kind} that failed`,
    evidence: `run ${id}, ended ${endedAt}: ${why ?? 'no reason was given'}`,
    remedy: `sluice ${kind} ${document}`,
    advice: `when the cause is gone; sluice runs show ${id} says what was asked for`,
  })
}

/** Of the alerts' conditions those that no other finding tells of. */
function lastingFindings({ name, document, reason, due }: Condition): DoctorFinding[] {
  if (name === 'drift')
    return [
      error('drift', document, {
        what: 'was found to differ from its rows',
        evidence: reason,
        remedy: `sluice verify ${document} --repair`,
      }),
    ]
  if (name === 'backlog_old' && due)
    return [
      warning('backlog_old', document, {
        what: 'has marks that have waited for too long',
        evidence: reason,
        remedy: 'sluice run',
        advice:
          'one more daemon, or CONCURRENCY of those that run, where no other finding says why; sluice status shows whether it shrinks',
      }),
    ]
  return []
}
