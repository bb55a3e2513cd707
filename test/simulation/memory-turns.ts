import type { MarksToVerify, RootsToMark } from '../../src/sync/batch-store.ts'
import { olderOrigin } from '../../src/sync/fold-marks.ts'
import { put } from './memory-changes.ts'
import { articlesOf } from './memory-documents.ts'
import { freeOf, take } from './memory-marks.ts'
import type { MemoryPostgres, Session } from './memory-postgres.ts'

/** Marks that stand for many documents, in a transaction of their own: turned into marks of roots, or into a verify. */

export function markRoots(
  postgres: MemoryPostgres,
  session: Session,
  { document, lane, large }: RootsToMark,
): number {
  postgres.rollback(session)
  postgres.begin(session)
  let turned = 0
  for (const { marks, links } of large) {
    const ids = marks.map(({ id }) => id)
    const taken = freeOf(postgres, document, lane, ids)
    if (taken.length === 0) continue
    turned += taken.length
    for (const mark of taken) take(postgres, session, mark)
    const keys = [...new Set(links.flatMap(([author]) => articlesOf(postgres, author ?? null)))].sort()
    if (keys.length === 0) continue
    postgres.change(
      session,
      postgres.insertMark({
        document,
        lane: 1,
        source: '',
        keys,
        op: 'update',
        origin: taken.map(({ origin }) => origin).reduce(olderOrigin),
        target: marks[0]?.target ?? null,
        createdAt: Math.min(...taken.map(({ createdAt }) => createdAt)),
      }),
    )
  }
  postgres.commit(session, 'lazy')
  return turned
}

export function verifyInstead(
  postgres: MemoryPostgres,
  session: Session,
  { document, lane, ids, reason }: MarksToVerify,
): number {
  postgres.begin(session)
  const taken = freeOf(postgres, document, lane, ids)
  for (const mark of taken) take(postgres, session, mark)
  if (taken.length > 0) requestRewrite(postgres, session, reason)
  postgres.commit(session, 'flushed')
  return taken.length
}

export function requestRewrite(postgres: MemoryPostgres, session: Session, reason: string): void {
  postgres.change(session, () => put(postgres.rewrites, postgres.rewrites.size, reason)())
}
