import { documentProblems, entries } from './check-document.ts'
import { scheduleProblems } from './check-schedules.ts'
import { indicesOverlap } from './index-name.ts'
import { problemsOf, property } from './issues.ts'
import { type Problem, show } from './problems.ts'
import { baseSchema, configSchema } from './schema.ts'
import { isTenantPattern, TENANT } from './tenant-index.ts'
import type { SluiceConfig } from './types.ts'

export type Checked<T> = { readonly value: T; readonly problems: readonly [] } | Refused
/** All that is wrong with it. */
interface Refused {
  readonly value: null
  readonly problems: readonly Problem[]
}

/** Checks a whole configuration. Keys whose value is undefined count as left out. */
export function checkConfig(raw: unknown): Checked<SluiceConfig> {
  const config = withoutUndefined(raw)
  const result = configSchema.safeParse(config)
  const problems = [
    ...(result.success ? [] : result.error.issues.flatMap((issue) => problemsOf(issue, config))),
    ...acrossKeys(config),
  ]
  return result.success && problems.length === 0
    ? { value: result.data, problems: [] }
    : { value: null, problems }
}

/** Checks all but documents and schedules. */
export function checkBase(raw: unknown): Checked<Omit<SluiceConfig, 'documents' | 'schedules'>> {
  const config = withoutUndefined(raw)
  const result = baseSchema.safeParse(config)
  if (result.success) return { value: result.data, problems: [] }
  return { value: null, problems: result.error.issues.flatMap((issue) => problemsOf(issue, config)) }
}

/** What one key cannot know: keys that exclude each other, documents that get in each other's way. */
function acrossKeys(config: unknown): Problem[] {
  const documents = entries(property(config, 'documents'))
  const within = documents.flatMap(([name, document]) => documentProblems(name, document))
  const indices = documents.flatMap(([name, document]) => {
    const index = property(document, 'index')
    return typeof index === 'string' ? [{ name, index }] : []
  })
  const meeting = indices.flatMap((later, n) =>
    indices
      .slice(0, n)
      .filter((earlier) => indicesOverlap(earlier.index, later.index))
      .map((earlier) => meetingProblem(earlier, later)),
  )
  return [...within, ...meeting, ...scheduleProblems(config)]
}

interface NamedIndex {
  readonly name: string
  readonly index: string
}

function meetingProblem(earlier: NamedIndex, later: NamedIndex): Problem {
  const where = `documents.${later.name}.index`
  if (earlier.index === later.index) {
    return {
      where,
      what: `got ${show(later.index)}, which is the index of documents.${earlier.name} too`,
      remedy: 'Give each document an index of its own; a search may name several, or an alias over them.',
    }
  }
  return {
    where,
    what:
      `got ${show(later.index)}, which overlaps ${show(earlier.index)} of documents.${earlier.name}: ` +
      `physical indices are "${physical(earlier)}" and "${physical(later)}", and a name can fit both`,
    remedy:
      isTenantPattern(earlier.index) || isTenantPattern(later.index)
        ? `Choose names of which none begins with what stands before ${TENANT} in another.`
        : 'Choose names of which none is another followed by "-2…".',
  }
}

const physical = ({ index }: NamedIndex) => `${index.replace(TENANT, '*')}-2*-*`

/** In JavaScript `{ where: undefined }` is how one leaves a key out by a condition. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [key, withoutUndefined(inner)]),
  )
}
