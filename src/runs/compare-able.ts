import type { DocumentPlan } from '../documents/types.ts'
import { FailedError } from '../errors.ts'
import type { Target } from '../queue/types.ts'
import type { RunWork } from './context.ts'

/** Indices whose settings are read: all are made from one plan, and each tenant has one. */
const MOST_ASKED = 10

/** Throws a FailedError where the contents of a document cannot be compared, with the reason. */
export async function assertContentComparable(
  elasticsearch: RunWork['elasticsearch'],
  { document, pipeline }: DocumentPlan,
  targets: readonly Target[],
): Promise<void> {
  if (pipeline !== null) {
    throw refusal(document, `the ingest pipeline "${pipeline}" changes its documents on their way`)
  }
  for (const { index } of targets.slice(0, MOST_ASKED)) {
    const problem =
      sourceProblem((await elasticsearch.getMappings(index))._source) ??
      settingsProblem(await elasticsearch.getSettings(index))
    if (problem !== null) throw refusal(index, problem)
  }
}

function refusal(where: string, why: string): FailedError {
  return new FailedError(`contents cannot be compared: ${why}`, { where, remedy: 'Verify without --deep.' })
}

/** Why `_source` is not what was sent, or null. */
function sourceProblem(source: unknown): string | null {
  if (typeof source !== 'object' || source === null) return null
  const { enabled, mode, includes, excludes } = source as Readonly<Record<string, unknown>>
  if (enabled === false || enabled === 'false' || mode === 'disabled')
    return 'its mapping switches _source off'
  if (mode === 'synthetic') return 'its _source is synthetic: made from the index, and not what was sent'
  return includes === undefined && excludes === undefined ? null : 'its mapping leaves fields out of _source'
}

function settingsProblem(settings: Readonly<Record<string, unknown>>): string | null {
  const mode = settings['index.mapping.source.mode']
  if (mode === 'synthetic' || mode === 'disabled') return `its _source is ${mode}`
  const kind = settings['index.mode']
  if (kind === 'logsdb' || kind === 'time_series')
    return `an index of mode ${kind} does not keep what was sent`
  for (const name of ['index.default_pipeline', 'index.final_pipeline']) {
    const pipeline = settings[name]
    if (typeof pipeline === 'string' && pipeline !== '_none') {
      return `${name} ("${pipeline}") changes its documents on their way`
    }
  }
  return null
}
