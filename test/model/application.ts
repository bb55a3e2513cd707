import { commitFlushed, commitLazily, nextVersion, withMark } from './database.ts'
import type { Move } from './move.ts'
import type { Bounds, Order } from './orders.ts'
import { type Database, letter, type Mark, type OpenChange, type State } from './state.ts'

const ROWS = ['root', 'child'] as const

type Row = (typeof ROWS)[number]

/** Transactions that change one row each: insert, update or delete, with its mark; then commit or rollback. */
export function applicationMoves(state: State, order: Order, { rows }: Bounds): readonly Move[] {
  return ROWS.slice(0, rows).flatMap((row) => {
    const change = state.open[row]
    return change === null ? begins(state, order, row) : ends(state, order, row, change)
  })
}

function begins(state: State, order: Order, row: Row): readonly Move[] {
  const { left, database } = state
  if (left.changes === 0) return []
  const value = state.made + 2
  const present = database[row] !== 0
  const moves = [begin(state, order, { row, value, verb: present ? 'updates' : 'inserts' })]
  if (row === 'root' && present) moves.push(begin(state, order, { row, value: 0, verb: 'deletes' }))
  return moves
}

function begin(
  state: State,
  order: Order,
  { row, value, verb }: { readonly row: Row; readonly value: number; readonly verb: string },
): Move {
  const left = { ...state.left, changes: state.left.changes - 1 }
  const drawn = order.version === 'trigger' ? nextVersion(state) : { state }
  const version = order.version === 'trigger' ? drawn.state.sequence : 0
  const known = state.database.marks.some(({ target }) => target === 'all')
  const mark: Mark | null = order.queue === 'deduplicated' && known ? null : { target: 'all', version }
  const early = order.mark === 'before-change'
  const marks = withMark(drawn.state.database.marks, mark)
  const before = early ? commitLazily(drawn.state, { marks }) : drawn.state
  const change: OpenChange = { value, mark: early ? null : mark }
  const what = value === 0 ? '' : ` to ${letter(value)}`
  const says = early
    ? '; its mark is committed already'
    : mark === null
      ? '; no mark, for there is one'
      : version > 0
        ? `; its mark has version ${version}`
        : ' and writes a mark'
  return {
    kind: 'change',
    text: `the application ${verb} the ${row} row${what} in a transaction${says}`,
    next: { ...before, left, made: state.made + 1, open: { ...state.open, [row]: change } },
  }
}

function ends(state: State, order: Order, row: Row, { value, mark }: OpenChange): readonly Move[] {
  const open = { ...state.open, [row]: null }
  const marks = withMark(state.database.marks, mark)
  const changed: Partial<Database> = row === 'root' ? { root: value, marks } : { child: value, marks }
  const commit = order.application === 'lazy' ? commitLazily : commitFlushed
  return [
    {
      kind: 'commit',
      text: `the application commits the ${row} row${order.application === 'lazy' ? '; it is not flushed yet' : ''}`,
      next: { ...commit(state, changed), open },
    },
    {
      kind: 'rollback',
      text: `the application rolls the ${row} row back`,
      next: { ...state, open },
    },
  ]
}
