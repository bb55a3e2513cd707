import type pg from 'pg'
import type { z } from 'zod'
import type { inspectJson } from '../answers/json/inspect.ts'
import { isTenantPattern } from '../config/tenant-index.ts'
import type { Transform } from '../config/types.ts'
import { cleanJson } from '../documents/clean-json.ts'
import { differences } from '../documents/differences.ts'
import { addressOf } from '../documents/key-address.ts'
import type { DocumentKey } from '../documents/types.ts'
import { idProblem } from '../elasticsearch/bulk.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { parseExact } from '../elasticsearch/json.ts'
import { FailedError, SluiceError, UnreachableError } from '../errors.ts'
import type { InstalledDocument } from '../queue/read-documents.ts'
import { readTargets } from '../queue/read-targets.ts'
import type { Target } from '../queue/types.ts'
import { readRuns } from '../runs/read-runs.ts'
import { attendedDocuments } from '../runs/request-backfill.ts'
import type { Run } from '../runs/types.ts'
import { loadDocuments } from '../sync/load.ts'
import { rowReader } from '../sync/row-reader.ts'
import type { Database } from './context.ts'
import { duration } from './format.ts'
import { readFailures, readMarks } from './read-marks.ts'
import { absence, readRow } from './read-row.ts'
import { LEFT_OUT, transformed } from './transform-of.ts'

export type Inspection = z.infer<typeof inspectJson>
type Copy = Inspection['copies'][number]

/** For a person who waits. */
const timeoutMs = 30_000

interface Servers {
  readonly database: Database
  readonly elasticsearch: Elasticsearch
}

interface Inspected {
  readonly installed: InstalledDocument
  /** Of the configuration, where the document has one. */
  readonly transform: Transform | null
}

/**
 * Looks at all that sluice knows of one document. The copies are read first, then the row, then the marks: what
 * changes in between leaves a mark, or is indexed already, and a second look says so.
 */
export async function inspectDocument(
  servers: Servers,
  inspected: Inspected,
  key: DocumentKey,
): Promise<Inspection> {
  const first = await look(servers, inspected, key)
  return first.differs && first.marks.length === 0 ? look(servers, inspected, key) : first
}

async function look(
  { database, elasticsearch }: Servers,
  { installed, transform }: Inspected,
  key: DocumentKey,
): Promise<Inspection> {
  const { pool, schema } = database
  const document = installed.name
  const { alias, routing } = addressOf(installed.plan, key.parts)
  const targets = (await readTargets(pool, schema, document)).filter((target) => target.alias === alias)
  const stored = await Promise.all(
    targets.map((target) => readCopy(elasticsearch, target, { id: key.id, routing })),
  )
  const wanted = await readExpected(pool, { installed, transform }, key)
  const { row, expected, problem } = wanted
  const marks = await readMarks(pool, schema, document, key.key)
  const failures = await readFailures(pool, schema, document, key.key)
  const copies = stored.map((copy) => compared(copy, wanted))
  // A tenant that has no rows has no index, and lacks none.
  const lacksIndex =
    targets.length === 0 && (wanted.expected !== null || !isTenantPattern(installed.plan.index))
  const differs = lacksIndex || copies.some(({ state }) => state !== 'same')
  const inspection = {
    document,
    id: key.id,
    key: key.key,
    row,
    expected,
    problem: problem?.text ?? null,
    marks,
    failures,
    copies,
    differs,
  }
  if (!differs) return { ...inspection, why: [] }
  const attended = (await attendedDocuments(pool, schema)).has(document)
  const [run] = await readRuns(pool, schema, { document, active: true })
  const refused = wanted.problem?.refused === true && failures.length === 0 ? wanted.problem.text : null
  return { ...inspection, why: reasons(inspection, { installed, attended, run, refused }) }
}

/** A copy before it is compared. `found` is null where it could not be read. */
interface StoredCopy {
  readonly target: Target
  readonly found: boolean | null
  readonly version: string | null
  readonly source: unknown
  readonly note: string | null
}

async function readCopy(
  elasticsearch: Elasticsearch,
  target: Target,
  { id, routing }: { readonly id: string; readonly routing: string | null },
): Promise<StoredCopy> {
  try {
    const uuid = await elasticsearch.indexUuid(target.index)
    if (uuid === null) return unread(target, 'the index is gone')
    const { found, version, source } = await elasticsearch.get(target.index, id, routing)
    const note =
      uuid === target.uuid ? null : 'the index was restored or recreated: it is not the one that was filled'
    return { target, found, version, source, note }
  } catch (error) {
    if (!(error instanceof SluiceError) || error instanceof UnreachableError) throw error
    return unread(target, error.message)
  }
}

function unread(target: Target, note: string): StoredCopy {
  return { target, found: null, version: null, source: null, note }
}

/** A row whose document is refused wants a copy that cannot be: one that is there is an older state. */
function compared(
  { target, found, version, source, note }: StoredCopy,
  { expected, problem }: Expected,
): Copy {
  const differing = found === true && expected !== null ? differences(expected, source) : []
  const refused = problem?.refused === true
  return {
    index: target.index,
    role: target.role,
    state: stateOf(found, expected !== null || refused, differing.length > 0 || refused),
    version,
    source,
    differences: differing,
    note,
  }
}

function stateOf(found: boolean | null, wanted: boolean, differ: boolean): Copy['state'] {
  if (found === null) return 'unknown'
  if (found !== wanted) return wanted ? 'missing' : 'extra'
  return differ ? 'different' : 'same'
}

interface Expected {
  readonly row: unknown
  readonly expected: unknown
  readonly problem: { readonly text: string; readonly refused: boolean } | null
}

/** What the row makes, by the installed plan, as the daemon loads it. */
async function readExpected(
  pool: pg.Pool,
  { installed, transform }: Inspected,
  key: DocumentKey,
): Promise<Expected> {
  const { plan, state, name } = installed
  if (state === 'detached') {
    throw new FailedError(`${name} is detached: nothing says what its documents should be`, {
      remedy: 'sluice install puts it back.',
    })
  }
  const client = await pool.connect()
  try {
    const text = await readRow(client, plan, key)
    const row = typeof text === 'string' ? parseExact(text) : null
    const { documents, failures } = await loadDocuments(rowReader(client), plan, [key], timeoutMs)
    const found = documents.get(key.key)
    const loaded = found?.key === key.key ? await transformed(name, transform, key, found) : undefined
    const refused =
      failures[0]?.reason ?? (loaded === undefined ? null : (loaded.problem ?? idProblem(key.id)))
    if (refused !== null) return { row, expected: null, problem: { text: refused, refused: true } }
    if (loaded === undefined)
      return { row, expected: null, problem: { text: absence(text, plan), refused: false } }
    if (loaded.json === null) return { row, expected: null, problem: { text: LEFT_OUT, refused: false } }
    return { row, expected: parseExact(cleanJson(loaded.json).toString()), problem: null }
  } finally {
    client.release()
  }
}

interface Circumstances {
  readonly installed: InstalledDocument
  /** Whether a daemon works on it. */
  readonly attended: boolean
  /** Run of the document that is under way. */
  readonly run: Run | undefined
  /** Why the document cannot be indexed, where no failure is on record yet. */
  readonly refused: string | null
}

/** All that explains a difference; what to do where nothing does. */
function reasons(
  { document, id, marks, failures, copies }: Omit<Inspection, 'why'>,
  { installed, attended, run, refused }: Circumstances,
): string[] {
  const causes = [
    ...(marks.length > 0 ? [waiting(marks)] : []),
    ...(run === undefined ? [] : [`run ${run.id}, a ${run.kind}, is ${run.state}`]),
    ...failures.map(failureText),
    ...(refused === null ? [] : [refused]),
    ...(copies.length === 0 ? [`${document} has no index: sluice install makes one`] : []),
    ...copies.flatMap(({ index, note }) => (note === null ? [] : [`${index}: ${note}`])),
  ]
  const unexplained = [
    'no mark waits and none has failed: it was changed past the triggers (session_replication_role, a restore, a write to the index by others)',
    `sluice enqueue ${document} ${id} puts this one right, sluice backfill ${document} all that have a row`,
  ]
  return [
    ...(causes.length > 0 ? causes : unexplained),
    ...(installed.state === 'paused'
      ? [`${document} is paused: ${installed.reason ?? 'no reason was given'}`]
      : []),
    ...(installed.alarm === null ? [] : [`${document} has an alarm: ${installed.alarm}`]),
    ...(attended ? [] : [`no daemon works on ${document}: sluice run`]),
  ]
}

export function failureText({
  target,
  state,
  attempts,
  type,
  reason,
  dueAt,
}: Inspection['failures'][number]): string {
  const what =
    state === 'dead'
      ? `is dead after ${attempts} attempts`
      : `failed ${attempts} times and is due at ${dueAt}`
  return `${target === '' ? 'it' : target} ${what}: ${type}: ${reason}`
}

function waiting(marks: Inspection['marks']): string {
  const oldest = Math.max(...marks.map(({ ageMs }) => ageMs))
  const ops = [...new Set(marks.map(({ op }) => op))].join(', ')
  const parked = marks.every(({ lane }) => lane === 2) ? ' in the parked lane' : ''
  return `${marks.length === 1 ? 'a mark waits' : `${marks.length} marks wait`}${parked} (${ops}; the oldest for ${duration(oldest)})`
}
