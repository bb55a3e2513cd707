import { isOwnIndex, readMakers } from '../../capture/document-index.ts'
import { unknownAliases } from '../../capture/unknown-index.ts'
import type { DocumentPlan } from '../../documents/types.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import { templatePattern } from '../../elasticsearch/names.ts'
import { readKnownIndices } from '../../queue/known-indices.ts'
import { readNamedIndices } from '../../runs/named-indices.ts'
import type { Database } from '../context.ts'

/** Where the database and Elasticsearch do not agree on which index is whose. */
export type Strayed =
  /** An alias points to an index that sluice made, and the database does not know it. */
  | { readonly kind: 'unknown'; readonly document: string; readonly index: string; readonly alias: string }
  /** An alias does not point to what sluice writes to. `searched`: what it points to. */
  | {
      readonly kind: 'moved'
      readonly document: string
      readonly index: string
      readonly alias: string
      readonly searched: readonly string[]
    }
  /** Sluice made it, no alias points to it, and the database does not know it: disk space. */
  | { readonly kind: 'left'; readonly document: string; readonly index: string }

/** Two requests for a document, and one more for each index that is not known. */
export async function readStrayed(
  { pool, schema }: Database,
  elasticsearch: Pick<Elasticsearch, 'indexAliases' | 'getMappings'>,
  plans: readonly Pick<DocumentPlan, 'document' | 'index'>[],
): Promise<readonly Strayed[]> {
  const found: Strayed[] = []
  for (const { document, index: names } of plans) {
    const aliases = await elasticsearch.indexAliases(templatePattern(names))
    // After it: what is made meanwhile is known.
    const known = await readKnownIndices(pool, schema, document)
    if (known.length === 0) continue
    const named = new Set([
      ...known.map(({ name }) => name),
      ...(await readNamedIndices(pool, schema, document)),
    ])
    const makers = await readMakers(pool, schema, document)
    const unknown = unknownAliases(names, aliases, known)
    for (const [index, its] of aliases) {
      const alias = unknown.find((each) => each.index === index)?.alias
      if (
        (alias === undefined && (its.length > 0 || named.has(index))) ||
        !(await isOwnIndex(elasticsearch, index, makers))
      )
        continue
      found.push(
        alias === undefined ? { kind: 'left', document, index } : { kind: 'unknown', document, index, alias },
      )
    }
    const taken = new Set(found.flatMap((each) => (each.kind === 'unknown' ? [each.alias] : [])))
    for (const { name: index, alias, role } of known) {
      if (role !== 'live' || taken.has(alias) || aliases.get(index)?.includes(alias) !== false) continue
      const searched = [...aliases].filter(([, its]) => its.includes(alias)).map(([other]) => other)
      found.push({ kind: 'moved', document, index, alias, searched })
    }
  }
  return found
}
