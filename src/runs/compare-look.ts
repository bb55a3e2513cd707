import { indexNameProblem } from '../config/index-name.ts'
import type { Transform } from '../config/types.ts'
import { cleanJson } from '../documents/clean-json.ts'
import { addressOf } from '../documents/key-address.ts'
import { decodeKey, documentId } from '../documents/keys.ts'
import type { DocumentKey, DocumentPlan } from '../documents/types.ts'
import { idProblem } from '../elasticsearch/bulk.ts'
import type { StoredText } from '../elasticsearch/types.ts'
import { FailedError } from '../errors.ts'
import { loadDocuments } from '../sync/load.ts'
import { rowReader } from '../sync/row-reader.ts'
import type { SliceSizer } from '../sync/slice-sizer.ts'
import { transformDocuments } from '../sync/transform.ts'
import type { LoadedDocument } from '../sync/types.ts'
import { differingFields } from './compare-content.ts'
import { type Place, placeAddress } from './compare-places.ts'
import type { Difference } from './comparison.ts'
import type { RunWork } from './context.ts'

/** What a look at a place saw that should not be so. */
export interface Observation {
  readonly place: Place
  readonly kind: Difference['kind']
  /** Of the document, by Elasticsearch; null where there is none. */
  readonly version: string | null
  readonly fields: readonly string[]
  /** Why the row can have no document, where it cannot. */
  readonly note: string | null
}

export interface LookOptions {
  /** Compare contents, not only whether there is a document. */
  readonly deep: boolean
  /** The configuration's function, for a plan that has one. */
  readonly transform: Transform | null
  readonly sizer: SliceSizer
}

/** What a place should hold. */
type Wanted =
  | { readonly state: 'document'; readonly json: Buffer }
  | { readonly state: 'none' }
  /** The row has no document that Elasticsearch could hold. */
  | { readonly state: 'impossible'; readonly reason: string }

/** Bytes of documents in memory at once, on either side: 5,000 of 800 bytes, where larger ones gain nothing. */
const LOOK_BYTES = 4 * 1024 * 1024

/** Rows are looked up by keys; one that takes longer than this hangs. */
const LOAD_TIMEOUT_MS = 120_000

/** Looks at places in slices that memory can hold, whatever the size of their documents. */
export async function* lookAt(
  work: RunWork,
  places: readonly Place[],
  options: LookOptions,
): AsyncGenerator<readonly Observation[], void, void> {
  for (let start = 0; start < places.length; ) {
    work.signal.throwIfAborted()
    const slice = places.slice(start, start + options.sizer.keys(LOOK_BYTES))
    start += slice.length
    yield await look(work, slice, options)
  }
}

/**
 * Looks at places, and returns those where something differs. First at the documents (realtime), then at the rows, in this
 * order: `Suspects` rests on it. What a place should hold is what the pipeline would send: the view's JSON after
 * `transform`.
 */
async function look(
  { pool, plan, elasticsearch, signal }: RunWork,
  places: readonly Place[],
  { deep, transform, sizer }: LookOptions,
): Promise<readonly Observation[]> {
  const indexed = places.filter(({ index }) => index !== null)
  const texts = await elasticsearch.stored(indexed.map(placeAddress), { source: deep })
  const stands = new Map(indexed.map((place, n) => [place, texts[n]]))

  const keys = keysOf(plan, places)
  const client = await pool.connect()
  let rows: Rows
  let clean = false
  try {
    rows = await readRows(client, plan, keys, { transform, signal })
    clean = true
  } finally {
    client.release(!clean)
  }
  sizer.observe(
    keys.length,
    [...rows.values()].map((row) =>
      row.state === 'document' ? { kind: 'index', body: row.json } : { kind: 'delete' },
    ),
  )
  return places.flatMap((place) => judge(place, stands.get(place), wantedAt(plan, place, rows), deep) ?? [])
}

type Rows = ReadonlyMap<string, Wanted & { readonly key: string }>

async function readRows(
  client: Parameters<typeof rowReader>[0],
  plan: DocumentPlan,
  keys: readonly DocumentKey[],
  { transform, signal }: { readonly transform: Transform | null; readonly signal: AbortSignal },
): Promise<Rows> {
  const rows = new Map<string, Wanted & { readonly key: string }>()
  if (keys.length === 0) return rows
  const loaded = await loadDocuments(rowReader(client), plan, keys, LOAD_TIMEOUT_MS)
  const transforming =
    transform === null ? null : { document: plan.document, transform, over: () => signal.aborted }
  const made = await transformDocuments(transforming, keys, loaded.documents)
  signal.throwIfAborted()
  for (const { key, id } of keys) {
    const row = made.documents.get(key)
    if (row !== undefined) rows.set(id, { key: row.key, ...stateOf(id, row) })
  }
  // The address of a row that cannot be read is not known: the place that was asked for has to do.
  for (const { key, id, reason } of [...loaded.failures, ...made.failures])
    rows.set(id, { key: rows.get(id)?.key ?? key, state: 'impossible', reason })
  return rows
}

function stateOf(id: string, { json, problem }: LoadedDocument): Wanted {
  const reason = problem ?? idProblem(id)
  if (reason !== null) return { state: 'impossible', reason }
  return json === null ? { state: 'none' } : { state: 'document', json: cleanJson(json) }
}

/** One for each id: a row is one look. */
function keysOf(plan: DocumentPlan, places: readonly Place[]): readonly DocumentKey[] {
  const keys = new Map<string, DocumentKey>()
  for (const { key, id } of places) {
    const parts = key === null ? null : decodeKey(key, plan.key.length)
    if (key !== null && parts !== null)
      keys.set(id, { key, parts, id: documentId(parts.slice(0, plan.idParts)) })
  }
  return [...keys.values()]
}

function wantedAt(plan: DocumentPlan, place: Place, rows: Rows): Wanted {
  const row = place.key === null ? undefined : rows.get(place.id)
  const parts = row === undefined ? null : decodeKey(row.key, plan.key.length)
  if (row === undefined || parts === null) return { state: 'none' }
  const { alias, routing } = addressOf(plan, parts)
  // The row's document is elsewhere: what is here is of no row.
  if (alias !== place.alias || routing !== place.routing) return { state: 'none' }
  const problem = place.index === null ? indexNameProblem(alias) : null
  return problem === null
    ? row
    : { state: 'impossible', reason: `the tenant's index cannot be named: ${problem}` }
}

function judge(
  place: Place,
  stands: StoredText | undefined,
  wanted: Wanted,
  deep: boolean,
): Observation | null {
  // By another routing it is another place's document.
  const found = stands?.found === true && stands.routing === place.routing
  const seen = { place, version: found ? stands.version : null, fields: [], note: null }
  switch (wanted.state) {
    case 'none':
      return found ? { ...seen, kind: 'extra' } : null
    case 'impossible':
      // What is there is an older state of the row.
      return found && deep ? { ...seen, kind: 'stale', note: wanted.reason } : null
    case 'document': {
      if (!found) return { ...seen, kind: 'missing' }
      if (!deep) return null
      const fields = differingFields(wanted.json.toString(), textOf(place, stands))
      return fields.length === 0 ? null : { ...seen, kind: 'stale', fields }
    }
  }
}

function textOf({ index }: Place, { source }: StoredText): string {
  if (source !== null) return source
  throw new FailedError('its documents have no _source: their content cannot be compared', {
    where: index ?? '',
    remedy: 'Verify without --deep.',
  })
}
