import type { z } from 'zod'
import type { Captured } from '../capture/capture-gaps.ts'
import type { InstallPlan } from '../capture/plan-install.ts'
import type { ReplicaSetting } from '../capture/replica-settings.ts'
import type { DocumentPlan } from '../documents/types.ts'
import { laterColumnFindings, mappingFinding, replicaFinding, stepsToTell } from './drift-findings.ts'
import { count, duration } from './format.ts'
import type { doctorJson } from './json/doctor.ts'
import type { DriftedIndices } from './mapping-drift.ts'
import type { Status } from './read-status.ts'
import type { Strayed } from './strayed.ts'
import type { ShortTombstones } from './tombstones.ts'

export type DoctorFinding = z.infer<typeof doctorJson>['findings'][number]

/** A transaction that keeps vacuum from removing what was deleted since it began. */
export interface OldSnapshot {
  readonly pid: number
  readonly application: string
  readonly state: string
  readonly ageMs: number
}

/** What was looked at. */
export interface Examined {
  readonly plan: Pick<InstallPlan, 'steps' | 'plans' | 'removed' | 'reindexes' | 'reading'>
  readonly status: Status
  readonly snapshots: readonly OldSnapshot[]
  readonly tombstones: readonly ShortTombstones[]
  readonly strayed: readonly Strayed[]
  readonly mappings: readonly DriftedIndices[]
  readonly replica: readonly ReplicaSetting[]
  readonly captured: readonly Captured[]
  /** Schemas in which everybody may create functions. */
  readonly openSchemas: readonly string[]
}

/** What makes documents wrong, and then what makes them slow: findings in the order in which to see to them. Pure. */
export function diagnose(examined: Examined): readonly DoctorFinding[] {
  const { plan, status, snapshots, tombstones, strayed, mappings, replica, captured, openSchemas } = examined
  const ordinary = captured.filter((document) => document.ordinary).map(({ name }) => name)
  const findings = [
    ...structure(plan, status),
    ...plan.reading.map(({ document, what, remedy }) =>
      error(document, 'is not read by whoever should', what, remedy),
    ),
    ...(ordinary.length === 0 ? [] : replica).map((setting) => replicaFinding(setting, ordinary)),
    ...status.documents.flatMap(documentFindings),
    ...workers(status),
    ...status.schedules.flatMap(scheduleFindings),
    ...status.failedRuns.map(failedRunFinding),
    ...strayed.flatMap((one) => strayedFinding(one, status)),
    ...tombstones.map(tombstoneFinding),
    ...mappings.map(mappingFinding),
    ...status.documents.flatMap(laterColumnFindings),
    ...plan.plans.flatMap(planFindings),
    ...snapshots.map(snapshotFinding),
    ...openSchemas.map(openSchemaFinding),
  ]
  return findings.toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'))
}

/** What differs from the configuration: a trigger that is off or gone, a partition that came, a table that was swapped. */
function structure({ steps, removed, reindexes }: Examined['plan'], { documents }: Status): DoctorFinding[] {
  const told = stepsToTell(steps, documents)
  return [
    ...reindexes.map(({ document, why }) =>
      error(document, 'needs a reindex', why, `sluice reindex ${document}`),
    ),
    ...told.map(({ action, document, what }) => {
      // Without a run nothing has been missed, and nothing is wrong with the documents.
      const run =
        document === null || told.some((step) => step.action === 'request' && step.document === document)
      return (run ? error : warning)(
        document,
        'is not as the configuration has it',
        `sluice install would ${action} ${what}`,
        'sluice install',
      )
    }),
    ...removed.map((document) =>
      error(
        document,
        'is installed and not in the configuration: its marks gather',
        null,
        `sluice uninstall ${document}, or put it back into the configuration`,
      ),
    ),
  ]
}

function documentFindings(document: Status['documents'][number]): DoctorFinding[] {
  const { name, state, reason, alarm, attended, blockedKeys, dead, retrying } = document
  const findings: DoctorFinding[] = []
  if (state === 'paused') findings.push(error(name, 'is paused', reason, `sluice resume ${name}`))
  if (state === 'detached')
    findings.push(error(name, 'is detached: no change is seen', reason, 'sluice install'))
  if (alarm !== null) findings.push(error(name, 'has an alarm', alarm, null))
  if (state === 'active' && !attended)
    findings.push(
      error(name, 'is worked on by no daemon', `${count(document.pendingKeys)} keys wait`, 'sluice run'),
    )
  if (blockedKeys > 0) {
    const evidence = `${count(blockedKeys)} keys wait for an index that takes no writes`
    findings.push(error(name, 'has a blocked index', evidence, 'sluice status says which, and why'))
  }
  if (dead > 0) {
    const remedy = `sluice failed list ${name}`
    findings.push(error(name, 'has documents that cannot be indexed', `${count(dead)} are dead`, remedy))
  }
  if (retrying > 0) {
    const evidence = `${count(retrying)} are being retried`
    findings.push(warning(name, 'has documents that failed', evidence, `sluice failed list ${name}`))
  }
  return findings
}

function workers({ workers: all }: Status): DoctorFinding[] {
  const vanished = all.filter(({ alive, state }) => !alive && state !== 'stopped')
  const pauses = all.filter(({ alive }) => alive).flatMap((worker) => worker.pauses)
  return [
    ...pauses.map(({ document, index, reason, since }) =>
      error(
        document,
        index === null ? 'is not sent' : `is not sent to ${index}`,
        `${reason} (since ${since})`,
        null,
      ),
    ),
    ...vanished.map(({ instance, seenMsAgo }) =>
      warning(
        null,
        `daemon ${instance} has vanished`,
        `last seen ${duration(seenMsAgo)} ago, without an orderly end`,
        'look at its log, and at what keeps it running',
      ),
    ),
  ]
}

function scheduleFindings({ name, attended, nextAt }: Status['schedules'][number]): DoctorFinding[] {
  if (attended) return []
  const evidence = `no living daemon has it as it is installed; it is due at ${nextAt}`
  const remedy = 'sluice run with the installed configuration, or sluice install with this one'
  return [error(null, `schedule ${name} is fired by no daemon`, evidence, remedy)]
}

function planFindings({ document, missingIndexes, warnings }: DocumentPlan): DoctorFinding[] {
  const told = missingIndexes.map(({ sql }) => sql)
  return [
    ...missingIndexes.map(({ table, columns, why, sql }) =>
      warning(
        document,
        `misses an index on ${table.schema}.${table.name} (${columns.join(', ')})`,
        `without it, ${why} reads the whole table`,
        sql,
      ),
    ),
    ...warnings
      .filter((text) => !told.some((sql) => text.includes(sql)))
      .map((text) => warning(document, text, null, null)),
  ]
}

function failedRunFinding({ id, kind, document, error: why, endedAt }: Status['failedRuns'][number]) {
  const evidence = `run ${id}, ended ${endedAt}: ${why ?? 'no reason was given'}`
  const remedy = `sluice ${kind} ${document}, when the cause is gone; sluice runs show ${id} says what was asked for`
  return error(document, `has a last ${kind} that failed`, evidence, remedy)
}

function strayedFinding(strayed: Strayed, { documents }: Status): DoctorFinding[] {
  const { kind, document, index } = strayed
  // A daemon has seen it, and says so in the alarm.
  const told = documents.some(({ name, alarm }) => name === document && alarm?.startsWith('alias ') === true)
  switch (kind) {
    case 'unknown': {
      const evidence = `${strayed.alias} points to ${index}, which sluice made for it and this database does not know: it was set back to before that`
      const remedy =
        'sluice run: a daemon takes it in and has it verified within ten seconds, or says why not'
      return told
        ? []
        : [error(document, 'is searched in an index that it does not write to', evidence, remedy)]
    }
    case 'moved': {
      const { alias, searched } = strayed
      const evidence = `${alias} points to ${searched.join(', ') || 'no index of it'}, and not to ${index}, which sluice writes to`
      const actions = [
        ...searched.map((other) => ({ remove: { index: other, alias } })),
        { add: { index, alias } },
      ]
      const remedy = `POST /_aliases ${JSON.stringify({ actions })}`
      return told ? [] : [error(document, 'is not searched where it is written to', evidence, remedy)]
    }
    case 'left': {
      const evidence = `${index} was made by sluice for it; no alias points to it, and this database does not know it`
      return [warning(document, 'has an index that nobody uses', evidence, `DELETE /${index}`)]
    }
  }
}

function tombstoneFinding({ document, index, stated, configured }: ShortTombstones): DoctorFinding {
  const put = `PUT /${index}/_settings {"index.gc_deletes": "1h"}`
  return error(
    document,
    `forgets deletes in ${index} too soon`,
    `index.gc_deletes is ${stated}: a request that is held up for longer brings a deleted document back`,
    configured ? `${put}, and take gc_deletes out of documents.${document}.settings` : put,
  )
}

function snapshotFinding({ pid, application, state, ageMs }: OldSnapshot): DoctorFinding {
  return warning(
    null,
    'an old transaction keeps vacuum from cleaning the queue, which slows every claim',
    `process ${pid} (${application === '' ? 'no application name' : application}, ${state}) has held its snapshot for ${duration(ageMs)}`,
    `end it, or: SELECT pg_terminate_backend(${pid})`,
  )
}

/** Of two functions Postgres takes the one whose parameters fit exactly, wherever it is on the search_path. */
function openSchemaFinding(schema: string): DoctorFinding {
  return warning(
    null,
    `anybody who can log in may create functions and operators in schema ${schema}`,
    'it is on the search_path, and one that fits better than one of Postgres runs with the rights of whoever runs sluice',
    `REVOKE CREATE ON SCHEMA ${schema} FROM PUBLIC`,
  )
}

function error(document: string | null, what: string, evidence: string | null, remedy: string | null) {
  return { severity: 'error', document, what, evidence, remedy } as const
}

function warning(document: string | null, what: string, evidence: string | null, remedy: string | null) {
  return { severity: 'warning', document, what, evidence, remedy } as const
}
