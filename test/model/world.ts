import { applicationMoves } from './application.ts'
import { faultMoves } from './faults.ts'
import type { Move } from './move.ts'
import type { Bounds, Order } from './orders.ts'
import { reindexMoves } from './reindex.ts'
import { type Database, documentOf, type State } from './state.ts'
import { idle, workerMoves } from './worker.ts'

/** All that can happen in a state, always in the same order. */
export function movesOf(state: State, order: Order, bounds: Bounds): readonly Move[] {
  return [
    ...applicationMoves(state, order, bounds),
    ...workerMoves(state, order),
    ...reindexMoves(state, order, bounds),
    ...faultMoves(state, order),
  ]
}

/** The document is there and indexed; or there never was one. */
export function beginnings(
  order: Order,
  { workers, changes, faults, crashes, timeouts, cuts }: Bounds,
): readonly { readonly state: State; readonly text: string }[] {
  return [1, 0].map((root) => {
    const database: Database = { root, child: 1, marks: [], reindex: 'none', logged: 1 }
    const content = documentOf(database)
    const state: State = {
      database,
      older: [],
      sequence: 1,
      made: 0,
      open: { root: null, child: null },
      workers: Array.from({ length: workers }, (_, n) => idle(n + 1, order)),
      indices: { old: { version: root, content }, new: null },
      alias: 'old',
      late: [],
      stray: false,
      left: { changes, faults, crashes, timeouts, cuts },
    }
    const text =
      root === 0 ? 'there is no root row' : 'the rows are there, and the index has them as version 1'
    return { state, text }
  })
}
