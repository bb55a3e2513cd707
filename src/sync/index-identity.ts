import type pg from 'pg'
import type { Logger } from 'pino'
import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { templatePattern } from '../elasticsearch/names.ts'
import { acceptIndexUuid } from '../queue/accept-index-uuid.ts'
import { readTargets } from '../queue/read-targets.ts'

interface IdentityCheck {
  readonly pool: pg.Pool
  readonly schema: string
  readonly elasticsearch: Pick<Elasticsearch, 'indexUuids'>
  readonly log: Logger
  readonly plans: ReadonlyMap<string, Pick<DocumentPlan, 'index'>>
}

/**
 * Invariant 13: an index whose UUID is not the one it was created with was restored from a snapshot or recreated
 * by hand, and holds who knows what. The document is paused, its new UUID noted and a verify requested, which runs
 * when an operator resumes the document. A missing index is left to the bulk answers (blocked, nobody charged).
 * One request for a document: there may be thousands of tenants.
 */
export async function checkIndexIdentity({
  pool,
  schema,
  elasticsearch,
  log,
  plans,
}: IdentityCheck): Promise<void> {
  for (const [document, { index: names }] of plans) {
    const targets = await readTargets(pool, schema, document)
    const uuids = await elasticsearch.indexUuids(templatePattern(names))
    for (const target of targets) {
      const uuid = uuids.get(target.index)
      if (uuid === undefined || uuid === target.uuid) continue
      const reason = `index ${target.index} was restored or recreated by hand: look at it, then run sluice resume ${document}, which verifies and repairs it`
      const first = await acceptIndexUuid(pool, schema, { document, index: target.index, uuid, reason })
      if (first) log.error({ document, index: target.index, reason }, 'document paused')
    }
  }
}
