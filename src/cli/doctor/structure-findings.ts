import type { Status } from '../../answers/read-status.ts'
import type { InstallPlan } from '../../capture/plan-install.ts'
import type { DocumentPlan } from '../../documents/types.ts'
import type { ConfigError } from '../../errors.ts'
import { stepsToTell } from './drift-findings.ts'
import { type DoctorFinding, error, warning } from './finding.ts'

/** A document (or a schedule) that `install` would refuse as things are. */
export interface Refused {
  readonly document: string
  readonly error: Pick<ConfigError, 'message' | 'remedy'>
}

export type Planned = Pick<InstallPlan, 'steps' | 'plans' | 'removed' | 'reindexes' | 'reading'>

/** What differs from the configuration: a trigger that is off or gone, a partition that came, a table that was swapped. */
export function structureFindings(
  { steps, removed, reindexes, reading }: Planned,
  refused: readonly Refused[],
  { documents }: Status,
): DoctorFinding[] {
  const told = stepsToTell(steps, documents)
  return [
    ...refused.map(refusedFinding),
    ...reindexes.map(({ document, why }) =>
      error('reindex_needed', document, {
        what: 'needs a reindex',
        evidence: why,
        remedy: `sluice reindex ${document}`,
      }),
    ),
    ...told.map(({ action, document, what }) => {
      // Without a run nothing has been missed, and nothing is wrong with the documents.
      const run =
        document === null || told.some((step) => step.action === 'request' && step.document === document)
      return (run ? error : warning)('not_as_configured', document, {
        what: 'is not as the configuration has it',
        evidence: `sluice install would ${action} ${what}`,
        remedy: 'sluice install',
      })
    }),
    ...removed.map((document) =>
      error('not_configured', document, {
        what: 'is installed and not in the configuration: its marks gather',
        remedy: `sluice uninstall ${document}`,
        advice: 'or put it back into the configuration',
      }),
    ),
    ...reading.map(({ document, what, remedy, advice }) =>
      error('reading_role', document, {
        what: 'is not read by whoever should',
        evidence: what,
        remedy,
        advice,
      }),
    ),
  ]
}

/** What planning asks for is a sentence: only SQL at its end can be pasted. */
function refusedFinding({ document, error: { message, remedy } }: Refused): DoctorFinding {
  const sql = /^Let its owner run: (.*)$/.exec(remedy ?? '')?.[1]
  return error('not_installable', document, {
    what: 'is refused by sluice install as things are',
    evidence: message,
    remedy: sql ?? null,
    advice: sql === undefined ? (remedy ?? null) : 'let the owner of the table run it',
  })
}

export function planFindings({ document, missingIndexes, warnings }: DocumentPlan): DoctorFinding[] {
  const told = missingIndexes.map(({ sql }) => sql)
  return [
    ...missingIndexes.map(({ table, columns, why, sql }) =>
      warning('unindexed_link', document, {
        what: `misses an index on ${table.schema}.${table.name} (${columns.join(', ')})`,
        evidence: `without it, ${why} reads the whole table`,
        remedy: sql,
      }),
    ),
    ...warnings
      .filter((text) => !told.some((sql) => text.includes(sql)))
      .map((what) => warning('plan_warning', document, { what })),
  ]
}
