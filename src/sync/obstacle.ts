import { UnreachableError } from '../errors.ts'
import { isConnectionError, sqlState } from '../postgres/connect.ts'
import type { Obstacle } from './types.ts'
import { withoutValues } from './without-values.ts'

/** Leaves a batch from any depth: the claim is rolled back, nobody is charged. */
export class Obstructed extends Error {
  readonly obstacle: Obstacle

  constructor(obstacle: Obstacle) {
    super(obstacle.reason)
    this.obstacle = obstacle
  }
}

/**
 * What stopped a batch, as a value. A lost or refused connection stops all batches; every other error is
 * held against the document that met it, which waits while the others go on.
 */
export function obstacleOf(error: unknown): Obstacle {
  if (error instanceof Obstructed) return error.obstacle
  const reason = error instanceof Error ? error.message : String(error)
  // Below the edge only the Elasticsearch room makes this error; Postgres's own are told by their codes.
  if (error instanceof UnreachableError) return { scope: 'elasticsearch', type: 'unreachable', reason }
  if (isConnectionError(error)) return { scope: 'postgres', type: 'unreachable', reason }
  const state = sqlState(error)
  if (state === undefined) return { scope: 'document', type: 'unexpected', reason }
  // A server in recovery, read-only or out of resources (disk, memory) concerns everybody.
  const everybody = ['25006', '55000'].includes(state) || state.startsWith('53')
  return {
    scope: everybody ? 'postgres' : 'document',
    type: `sqlstate_${state}`,
    reason: withoutValues(error) ?? reason,
  }
}

/**
 * What an operator has to do about it, or null when it may pass by itself. Errors of class 42 (undefined or
 * inaccessible objects) and 0A are the document's own query: something it is made of was dropped, or a grant is missing.
 */
export function alarmOf({ scope, type, reason }: Obstacle): string | null {
  if (scope !== 'document' || !/^sqlstate_(42|0A)/.test(type)) return null
  if (type === 'sqlstate_42501' && /row-level security/.test(reason)) {
    return `cannot be read: ${reason}. Rows that a policy hides would be deleted from the index, so nothing is read. The role that sluice connects as, and the owner of its views, must own the table (without FORCE ROW LEVEL SECURITY) or have BYPASSRLS; sluice doctor says which does not`
  }
  return type === 'sqlstate_42501'
    ? `cannot be read: ${reason}. Grant it to the role that sluice connects as`
    : `cannot be read: ${reason}. Something it is made of was dropped: adapt the configuration, then run sluice install`
}

/** What an alarm mark says: a trigger could not tell which rows changed. */
export const UNREADABLE_CHANGES =
  'a trigger could not tell which rows changed: something the document is made of was dropped. Adapt the configuration, then run sluice install'
