import { UnreachableError } from '../errors.ts'
import { isConnectionError, sqlState } from '../postgres/connect.ts'
import type { Obstacle } from './types.ts'

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
  // A server in recovery, read-only or out of resources (disk, memory, connections) concerns everybody.
  const everybody = ['25006', '55000', '57P03'].includes(state) || state.startsWith('53')
  return { scope: everybody ? 'postgres' : 'document', type: `sqlstate_${state}`, reason }
}

/** True when the document's own query is at fault (undefined column, table or function; missing grant): it waits for an operator. */
export function needsOperator(obstacle: Obstacle): boolean {
  return obstacle.scope === 'document' && /^sqlstate_(42|0A)/.test(obstacle.type)
}
