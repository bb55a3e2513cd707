import type { Status } from '../../answers/read-status.ts'
import type { Captured } from '../../capture/capture-gaps.ts'
import type { ReplicaSetting } from '../../capture/replica-settings.ts'
import type { Condition } from '../../queue/read-conditions.ts'
import type { Curl } from './curl.ts'
import { workFindings } from './document-findings.ts'
import { laterColumnFindings, mappingFindings, replicaFinding } from './drift-findings.ts'
import type { DoctorFinding } from './finding.ts'
import { strayedFindings, tombstoneFinding, troubleFinding } from './index-findings.ts'
import type { IndexTrouble } from './index-trouble.ts'
import type { DriftedIndices } from './mapping-drift.ts'
import type { MissingGrant } from './read-grants.ts'
import type { Servers } from './read-servers.ts'
import type { OldSnapshot, VacuumOff } from './read-vacuum.ts'
import {
  grantFinding,
  openSchemaFinding,
  serverFindings,
  snapshotFinding,
  vacuumFinding,
} from './server-findings.ts'
import type { Strayed } from './strayed.ts'
import { type Planned, planFindings, type Refused, structureFindings } from './structure-findings.ts'
import type { ShortTombstones } from './tombstones.ts'

/** What was looked at. */
export interface Examined {
  readonly plan: Planned
  readonly refused: readonly Refused[]
  readonly status: Status
  /** What may be an alert. */
  readonly lasting: readonly Condition[]
  readonly servers: Servers
  readonly grants: readonly MissingGrant[]
  readonly vacuumOff: readonly VacuumOff[]
  readonly snapshots: readonly OldSnapshot[]
  readonly troubles: readonly IndexTrouble[]
  readonly tombstones: readonly ShortTombstones[]
  readonly strayed: readonly Strayed[]
  readonly mappings: readonly DriftedIndices[]
  readonly replica: readonly ReplicaSetting[]
  readonly captured: readonly Captured[]
  /** Schemas in which everybody may create functions. */
  readonly openSchemas: readonly string[]
}

const SEVERITIES: readonly DoctorFinding['severity'][] = ['error', 'warning', 'note']

/**
 * What makes documents wrong, and then what makes them slow, and then what somebody decided: findings in the order in which
 * to see to them. Pure. @param now this machine's clock
 */
export function diagnose(examined: Examined, curl: Curl, now: Date): readonly DoctorFinding[] {
  const { plan, refused, status, lasting, servers, replica, captured } = examined
  const ordinary = captured.filter((document) => document.ordinary).map(({ name }) => name)
  const findings = [
    ...structureFindings(plan, refused, status),
    ...examined.grants.map(grantFinding),
    ...(ordinary.length === 0 ? [] : replica).map((setting) => replicaFinding(setting, ordinary)),
    ...workFindings(status, lasting),
    ...examined.strayed.flatMap((one) => strayedFindings(one, status, curl)),
    ...examined.troubles.map((trouble) => troubleFinding(trouble, curl)),
    ...examined.tombstones.map((one) => tombstoneFinding(one, curl)),
    ...examined.mappings.flatMap((one) => mappingFindings(one, curl)),
    ...serverFindings(servers, curl, now),
    ...status.documents.flatMap(laterColumnFindings),
    ...plan.plans.flatMap(planFindings),
    ...examined.vacuumOff.map(vacuumFinding),
    ...examined.snapshots.map(snapshotFinding),
    ...examined.openSchemas.map(openSchemaFinding),
  ]
  return findings.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
}
