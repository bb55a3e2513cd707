import { escapeIdentifier } from 'pg'
import { indexHash } from '../../capture/document-index.ts'
import { type MappingDrift, mappingDrift } from '../../capture/mapping-drift.ts'
import type { DocumentPlan } from '../../documents/types.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import { templatePattern } from '../../elasticsearch/names.ts'
import type { Queryable } from '../../postgres/types.ts'

/** The same drift of one or several indices of a document. */
export interface DriftedIndices {
  readonly document: string
  readonly drift: MappingDrift
  readonly indices: readonly string[]
  /** Of a foreign field: documents that have it. */
  readonly documents: number
}

type Reading = Pick<Elasticsearch, 'mappingsOf' | 'countWithField'>

/**
 * What the live indices have as mappings, against what they were made with; an index that is to be changed or replaced
 * anyway is left to `install`. A foreign field that no document has is left by an earlier definition and does no harm.
 * One request for a document, and one for each foreign field.
 */
export async function readMappingDrift(
  db: Queryable,
  schema: string,
  elasticsearch: Reading,
  plans: readonly Pick<DocumentPlan, 'document' | 'index' | 'mappings' | 'settings'>[],
): Promise<readonly DriftedIndices[]> {
  const { rows } = await db.query<{ name: string; document: string; hash: string }>(
    `SELECT name, document, hash FROM ${escapeIdentifier(schema)}.sync_index WHERE role = 'live' ORDER BY name`,
  )
  const found: DriftedIndices[] = []
  for (const plan of plans) {
    const { document } = plan
    const hash = indexHash(plan)
    const own = rows.filter((row) => row.document === document && row.hash === hash)
    if (own.length === 0) continue
    const mappings = await elasticsearch.mappingsOf(templatePattern(plan.index))
    const drifts = own.flatMap(({ name }) =>
      mappingDrift(mappings.get(name) ?? plan.mappings, plan.mappings).map((drift) => ({ name, drift })),
    )
    for (const same of Map.groupBy(drifts, ({ drift }) => JSON.stringify(drift)).values()) {
      const [first] = same
      if (first === undefined) continue
      const { drift } = first
      const indices = same.map(({ name }) => name)
      const documents = drift.kind === 'foreign' ? await countAll(elasticsearch, indices, drift) : 0
      if (drift.kind !== 'foreign' || documents > 0) found.push({ document, drift, indices, documents })
    }
  }
  return found
}

async function countAll(
  elasticsearch: Reading,
  indices: readonly string[],
  { field, type, nested }: Extract<MappingDrift, { kind: 'foreign' }>,
): Promise<number> {
  let documents = 0
  for (const index of indices)
    documents += await elasticsearch.countWithField(index, field, type === 'nested' ? field : nested)
  return documents
}
