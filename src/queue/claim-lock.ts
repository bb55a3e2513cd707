import { escapeLiteral } from 'pg'

/** First key of the advisory lock that every claim shares; any number will do that nobody else uses. */
export const claimLockClass = 731_058_392

/**
 * Taken by every claim, shared, before it looks at the queue, and held to its end: whoever wants to know which claims
 * are older than a moment reads its holders from pg_locks (wait-for-older-claims). It never makes anybody wait.
 */
export function takeClaimLock(schema: string): string {
  return `pg_advisory_xact_lock_shared(${claimLockClass}, hashtext(${escapeLiteral(schema)}))`
}
