import { commitFlushed, commitLazily, withMark } from './database.ts'
import type { Move } from './move.ts'
import type { Bounds, Order } from './orders.ts'
import { documentOf, type Mark, type ReindexStep, type State } from './state.ts'

/**
 * A reindex (src/runs/reindex.ts): create, walk, drain, swap, and in the end the drop of the index before. Its cursor is
 * committed with each step, so after a crash another daemon goes on from `database.reindex` and from what the alias says.
 *
 * What touches no batch is one step with what follows: an index that is made is nothing before its registration; a walk
 * that reads now and commits later is one that commits now and whose mark is claimed later.
 */
export function reindexMoves(state: State, order: Order, { reindexes }: Bounds): readonly Move[] {
  const registersFirst = order.register === 'before-walk'
  switch (state.database.reindex) {
    case 'none':
      if (reindexes === 0) return []
      return registersFirst ? [register(state, order, 'walk')] : [walk(state, 'walked')]
    case 'walked':
      return [register(state, order, 'drain')]
    case 'walk':
      return [walk(state, 'drain')]
    case 'drain':
      return swap(state)
    case 'swap':
      return [changeRoles(state)]
    case 'swapped':
      return [retire(state)]
    case 'retired':
      return drop(state, order)
  }
}

function register(state: State, order: Order, reindex: ReindexStep): Move {
  // Its name is written down before: whoever does this once more finds the same index.
  const indices = { ...state.indices, new: state.indices.new ?? { version: 0, content: 0 } }
  const commit = order.registration === 'flushed' ? commitFlushed : commitLazily
  return {
    kind: 'register',
    text: 'the reindex makes a new index; it is a target now: building',
    next: commit({ ...state, indices }, { reindex }),
  }
}

/** One transaction: reads the rows, and writes marks for those that are there. */
function walk(state: State, reindex: ReindexStep): Move {
  const found = documentOf(state.database) !== 0
  const mark: Mark | null = found ? { target: 'building', version: 0 } : null
  return {
    kind: 'walk',
    text: found ? 'the walk finds the row and marks it for the new index' : 'the walk finds no row',
    next: commitFlushed(state, { marks: withMark(state.database.marks, mark), reindex }),
  }
}

/** A mark of the walk that is claimed counts: its deletion is not committed. The cursor is, before the alias moves. */
function swap(state: State): readonly Move[] {
  if (state.database.marks.some(({ target }) => target === 'building')) return []
  const text = 'the marks of the walk are settled; the alias moves to the new index'
  return [{ kind: 'swap', text, next: { ...commitFlushed(state, { reindex: 'swap' }), alias: 'new' } }]
}

function changeRoles(state: State): Move {
  const text = 'the new index is live now, the old one kept'
  return { kind: 'roles', text, next: commitFlushed(state, { reindex: 'swapped' }) }
}

/** From its commit on no batch begins to write to it; those under way are looked up in pg_locks. */
function retire(state: State): Move {
  const workers = state.workers.map((worker) =>
    worker.claim === 'open' ? { ...worker, awaited: true } : worker,
  )
  const text = 'the old index is retired'
  return { kind: 'retire', text, next: commitFlushed({ ...state, workers }, { reindex: 'retired' }) }
}

function drop(state: State, order: Order): readonly Move[] {
  if (state.indices.old === null) return []
  if (order.drop === 'after-claims' && state.workers.some(({ awaited }) => awaited)) return []
  const indices = { ...state.indices, old: null }
  return [{ kind: 'drop', text: 'the old index is dropped', next: { ...state, indices } }]
}
