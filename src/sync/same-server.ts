import { Obstructed } from './obstacle.ts'

/**
 * Invariant 6: what belongs together must have met the same server, the one that the daemon has joined. Otherwise Postgres
 * is left and joined again, and that is where a new server is noticed (invariant 5).
 */
export function assertSameServer(one: string, other: string | null): void {
  if (one === other) return
  throw new Obstructed({
    scope: 'postgres',
    type: 'server_changed',
    reason: `met server ${one}, then ${other ?? 'none'}: the database was restarted, fails over or was replaced`,
  })
}
