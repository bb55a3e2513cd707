import type pg from 'pg'
import type { Logger } from 'pino'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { forgetTarget } from '../queue/forget-target.ts'
import { forgetIndex, type RetiredIndex, retireKept } from '../queue/retired-indices.ts'
import { waitForOlderClaims } from '../queue/wait-for-older-claims.ts'

export interface RetiredContext {
  readonly pool: pg.Pool
  readonly schema: string
  readonly elasticsearch: Pick<Elasticsearch, 'aliasTargets' | 'deleteIndex' | 'indexUuid'>
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/** A claim ends within a minute, nearly always within milliseconds; whoever comes again soon need not wait for a stuck one. */
const OLDER_CLAIMS_TIMEOUT_MS = 10_000

/**
 * Retires kept indices whose time is over, and drops what is retired: what a reindex has replaced, or did not finish. Only
 * after the claims that are older than the retirement have ended, for their batches still write to it, and a write would be
 * refused at best (invariant 13). The index that the document's alias points to is never dropped, whatever our table says.
 * Several may do this at once. Returns what was dropped.
 */
export async function dropRetired(
  { pool, schema, elasticsearch, log }: RetiredContext,
  { timeoutMs = OLDER_CLAIMS_TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
): Promise<readonly string[]> {
  const retired = await retireKept(pool, schema)
  if (retired.length === 0) return []
  await waitForOlderClaims(pool, schema, { timeoutMs })
  const dropped: string[] = []
  for (const one of retired) {
    const { document, index, alias } = one
    if (await isSearched(elasticsearch, one)) {
      log.warn({ document, index, alias }, 'index is retired and not dropped: its alias points to it')
      continue
    }
    const there = (await elasticsearch.indexUuid(index)) !== null
    if (there) await elasticsearch.deleteIndex(index)
    while ((await forgetTarget(pool, schema, index)) > 0);
    await forgetIndex(pool, schema, one)
    if (!there) continue
    log.info({ document, index }, 'retired index dropped')
    dropped.push(index)
  }
  return dropped
}

async function isSearched(
  elasticsearch: Pick<Elasticsearch, 'aliasTargets'>,
  { index, alias }: RetiredIndex,
): Promise<boolean> {
  return (await elasticsearch.aliasTargets(alias)).indices.includes(index)
}
