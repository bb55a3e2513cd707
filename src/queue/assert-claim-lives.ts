import type { Queryable } from '../postgres/types.ts'

/**
 * Throws when the claim is gone: its session was cut (idle_in_transaction_session_timeout, an operator, a failover), or
 * one of its statements failed. Then other workers may hold its marks already, and nothing more may be sent (invariant 9).
 * A transaction that has deleted marks has an id; one begun anew by a pooler has none. Next to nothing but a round trip.
 */
export async function assertClaimLives(client: Queryable): Promise<void> {
  const { rows } = await client.query<{ claim: string | null }>(
    'SELECT pg_current_xact_id_if_assigned()::text AS claim',
  )
  if (rows[0]?.claim == null)
    throw new Error('Connection terminated: the claim is gone, its marks are free again')
}
