import { suggest } from '../catalog/suggest.ts'
import { entries } from './check-document.ts'
import { pathText, property } from './issues.ts'
import { type Problem, show } from './problems.ts'
import { type ScheduledRun, scheduledRuns } from './types.ts'

/** Options that make sense for a kind of run alone. */
const OPTIONS: Readonly<Record<ScheduledRun, readonly string[]>> = {
  backfill: ['since', 'column', 'where', 'tenant'],
  verify: ['deep', 'sample', 'repair'],
  optimize: ['threshold'],
  reindex: ['keep'],
}

/** Keys of the schedules that exclude or need each other, and what they say of the documents. */
export function scheduleProblems(config: unknown): readonly Problem[] {
  const documents = new Map(entries(property(config, 'documents')))
  return entries(property(config, 'schedules')).flatMap(([name, schedule]) => [
    ...optionProblems(name, schedule),
    ...documentProblems(name, schedule, documents),
  ])
}

function optionProblems(name: string, schedule: unknown): Problem[] {
  const run = scheduledRuns.find((kind) => kind === property(schedule, 'run'))
  const has = (key: string) => property(schedule, key) !== undefined
  const misplaced = scheduledRuns.flatMap((kind) =>
    kind === run || run === undefined
      ? []
      : OPTIONS[kind].filter(has).map((key) => ({
          where: at(name, key),
          what: `given with run ${show(run)}, expected with ${show(kind)} only`,
          remedy: `Remove "${key}", or take run ${show(kind)}.`,
        })),
  )
  const alone = (
    [
      ['since', 'column', 'Name the column that tells when a row changed.'],
      ['column', 'since', 'Say how far back, such as "2 hours".'],
    ] as const
  )
    .filter(([given, needed]) => run === 'backfill' && has(given) && !has(needed))
    .map(([given, needed, remedy]) => ({
      where: at(name, needed),
      what: `is missing, and "${given}" needs it`,
      remedy,
    }))
  return [...misplaced, ...alone]
}

function documentProblems(
  name: string,
  schedule: unknown,
  documents: ReadonlyMap<string, unknown>,
): Problem[] {
  const listed = property(schedule, 'documents')
  const named = Array.isArray(listed) ? listed.filter((item) => typeof item === 'string') : null
  const unknown = (named ?? []).flatMap((document, n) =>
    documents.has(document)
      ? []
      : [
          {
            where: pathText(['schedules', name, 'documents', n]),
            what: `got ${show(document)}, expected a document of this configuration${suggest(document, documents.keys())}`,
          },
        ],
  )
  const withoutTenant = [...(named ?? documents.keys())].filter(
    (document) => documents.has(document) && property(documents.get(document), 'tenant') === undefined,
  )
  if (property(schedule, 'tenant') === undefined || withoutTenant.length === 0) return unknown
  return [
    ...unknown,
    {
      where: at(name, 'tenant'),
      what: `given for ${withoutTenant.join(', ')}, which ${withoutTenant.length === 1 ? 'has' : 'have'} no "tenant"`,
      remedy: 'Name the documents that have one in "documents".',
    },
  ]
}

const at = (name: string, key: string) => pathText(['schedules', name, key])
