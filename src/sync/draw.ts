import type pg from 'pg'
import type { Version } from '../postgres/types.ts'
import { drawVersion, raiseVersionFloor } from '../postgres/version.ts'
import { Obstructed } from './obstacle.ts'

/** The highest version that came from each pool, and how many did. */
const highest = new WeakMap<pg.Pool, bigint>()
const drawnFrom = new WeakMap<pg.Pool, number>()

/** How many versions were drawn through a pool. */
export function draws(pool: pg.Pool): number {
  return drawnFrom.get(pool) ?? 0
}

/**
 * Draws a batch's version. The floor was raised when the server was joined, and it is the same server still (invariant 6),
 * so a version that does not rise means that somebody has set the sequence back by hand: it is moved up again, and Postgres
 * is joined anew.
 */
export async function draw(client: pg.PoolClient, schema: string, pool: pg.Pool): Promise<Version> {
  // Of those that were there before: two that draw at the same time may get their answers in any order.
  const before = highest.get(pool) ?? 0n
  const drawn = await drawVersion(client, schema)
  drawnFrom.set(pool, draws(pool) + 1)
  if (drawn.version > before) {
    if (drawn.version > (highest.get(pool) ?? 0n)) highest.set(pool, drawn.version)
    return drawn
  }
  await raiseVersionFloor(client, schema, before + 1n)
  throw new Obstructed({
    scope: 'postgres',
    type: 'versions_set_back',
    reason: `the sequence sync_version went back from ${before} to ${drawn.version}: it must never be set back`,
  })
}
