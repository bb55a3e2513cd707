import type { Status } from '../../answers/read-status.ts'
import type { MappingDrift } from '../../capture/mapping-drift.ts'
import { type ReplicaSetting, replicaSettingText, takeBackSql } from '../../capture/replica-settings.ts'
import type { Step } from '../../capture/steps.ts'
import { count, plural } from '../format.ts'
import type { Curl } from './curl.ts'
import { type DoctorFinding, error, warning } from './finding.ts'
import type { DriftedIndices } from './mapping-drift.ts'

type DocumentStatus = Pick<Status['documents'][number], 'name' | 'definition' | 'laterColumns'>

/** Columns that a document would take, had they been there when it was installed. */
export function laterColumnFindings({ name, laterColumns }: DocumentStatus): DoctorFinding[] {
  return laterColumns.map(({ table, columns, places }) =>
    warning('later_columns', name, {
      what: `takes all columns of ${table}, and not those that it has got since the install`,
      evidence: `${columns.join(', ')} (${places.join(', ')})`,
      remedy: 'sluice install',
      advice: 'it adds them; "omit" in the configuration leaves them out',
    }),
  )
}

/** Steps of `install` that no other finding speaks of: neither of such columns, nor of an alarm, with the run that follows. */
export function stepsToTell(steps: readonly Step[], documents: readonly DocumentStatus[]): readonly Step[] {
  const drifted = (step: Step) =>
    documents.some(
      ({ name, definition, laterColumns }) =>
        name === step.document && definition === 'installed' && laterColumns.length > 0,
    )
  const isTold = (step: Step) =>
    (step.action === 'remove' && step.what.startsWith('alarm: ')) ||
    (step.action === 'change' && /^(view|function|mappings|definition) /.test(step.what) && drifted(step))
  const others = steps.filter((step) => !isTold(step))
  const causes = new Set(others.filter(({ action }) => action !== 'request').map(({ document }) => document))
  return others.filter(({ action, document }) => action !== 'request' || causes.has(document))
}

export function mappingFindings(drifted: DriftedIndices, curl: Curl): DoctorFinding[] {
  const { document, drift, indices, documents } = drifted
  const [first = '', ...more] = indices
  const where = `in ${first}${more.length === 0 ? '' : ` and ${count(more.length)} more`}`
  const putMapping = (body: object) =>
    indices.map((index) => curl('PUT', `/${index}/_mapping`, body)).join(' && ')
  switch (drift.kind) {
    case 'missing':
      return [
        error('mapping_missing', document, {
          what: 'has fields that its index lacks: documents with one are refused',
          evidence: `${drift.fields.join(', ')} ${where}`,
          remedy: putMapping(drift.put),
        }),
      ]
    case 'foreign':
      return [
        warning('mapping_foreign', document, {
          what: 'has a field in its index that it does not define',
          evidence: `${drift.field} (${drift.type}) ${where}; ${plural(documents, 'document has', 'documents have')} a value there`,
          remedy: `sluice reindex ${document}`,
          advice: `find out who writes it first; the reindex builds an index without it, documents.${document}.mappings keeps it`,
        }),
      ]
    case 'changed': {
      const dynamic = drift.field === '' && drift.parameter === 'dynamic'
      return [
        warning('mapping_changed', document, {
          what: 'has other mappings in its index than it was made with',
          evidence: `${drift.field === '' ? '' : `field ${drift.field}: `}${changeText(drift)} ${where}`,
          remedy: dynamic ? putMapping({ dynamic: drift.wanted }) : `sluice reindex ${document}`,
          advice: dynamic
            ? null
            : `it builds an index as it should be; or state it in documents.${document}.mappings`,
        }),
      ]
    }
  }
}

function changeText({ parameter, is, wanted }: Extract<MappingDrift, { kind: 'changed' }>): string {
  const was = wanted === undefined ? 'not stated' : JSON.stringify(wanted)
  return `${parameter} was ${was}, and is ${JSON.stringify(is)}`
}

/** `documents`: those whose triggers it keeps from firing. */
export function replicaFinding(setting: ReplicaSetting, documents: readonly string[]): DoctorFinding {
  return error('triggers_off', null, {
    what: `session_replication_role is replica for ${replicaSettingText(setting)}: no trigger fires`,
    evidence: `what such sessions change goes by without a mark in ${documents.join(', ')}`,
    remedy: takeBackSql(setting),
    advice: 'then end the sessions that began with it, and: sluice verify --deep --repair',
  })
}
