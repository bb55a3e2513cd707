import { isFinished, judge, type Verdict } from './judge.ts'
import { keyOf } from './key.ts'
import type { MoveKind } from './move.ts'
import type { Bounds, Order } from './orders.ts'
import { firstStuck } from './progress.ts'
import type { State } from './state.ts'
import { beginnings, movesOf } from './world.ts'

export interface Trace {
  readonly verdict: Verdict
  /** The state it begins in, then what happened, one line each. */
  readonly begins: string
  readonly lines: readonly string[]
}

export interface Exploration {
  /** Different states that were seen; all there are, where nothing is wrong. */
  readonly states: number
  readonly transitions: number
  /** How many things happen at most before the farthest state. */
  readonly depth: number
  readonly kinds: ReadonlySet<MoveKind>
  /** The shortest way to something wrong; null: there is none. */
  readonly wrong: Trace | null
}

const STUCK: Verdict = { fault: 'stuck', text: 'whatever happens from here on, something is left to do' }

/**
 * Walks through all states that can be reached, nearest first, so that the first thing wrong has a shortest way. What is
 * looked for may be narrowed (`looksFor`): a wrong order acknowledges too early before it loses.
 * Where nothing is, each state is asked whether a finished one can be reached from it.
 */
export function explore(
  order: Order,
  bounds: Bounds,
  looksFor: (verdict: Verdict) => boolean = () => true,
): Exploration {
  const starts = beginnings(order, bounds)
  const known = new Map<string, number>()
  const parents: number[] = []
  const finished: number[] = []
  const transitions = { from: [] as number[], to: [] as number[] }
  const kinds = new Set<MoveKind>()
  let frontier: { readonly id: number; readonly state: State }[] = []
  for (const [n, { state }] of starts.entries()) {
    known.set(keyOf(state), n)
    parents.push(-1)
    frontier.push({ id: n, state })
  }
  let depth = 0
  const result = (wrong: Trace | null): Exploration => ({
    states: known.size,
    transitions: transitions.to.length,
    depth,
    kinds,
    wrong,
  })
  for (; frontier.length > 0; depth += 1) {
    const reached: typeof frontier = []
    for (const { id, state } of frontier) {
      if (isFinished(state)) finished.push(id)
      for (const { kind, next } of movesOf(state, order, bounds)) {
        kinds.add(kind)
        const key = keyOf(next)
        const reachedId = known.get(key) ?? known.size
        transitions.from.push(id)
        transitions.to.push(reachedId)
        if (reachedId < known.size) continue
        known.set(key, reachedId)
        parents.push(id)
        const verdict = judge(next)
        if (verdict !== null && looksFor(verdict)) return result(traceTo(reachedId, verdict))
        reached.push({ id: reachedId, state: next })
      }
    }
    if (reached.length === 0) break
    frontier = reached
  }
  const stuck = looksFor(STUCK) ? firstStuck(known.size, finished, transitions) : null
  return result(stuck === null ? null : traceTo(stuck, STUCK))

  /** States were not kept: the way is walked once more, by the numbers of the states on it. */
  function traceTo(id: number, verdict: Verdict): Trace {
    const way: number[] = []
    for (let at = id; at >= starts.length; at = parents[at] ?? -1) way.unshift(at)
    const start = starts[parents[way[0] ?? id] ?? id]
    if (start === undefined) throw new Error('a trace has no beginning')
    let { state } = start
    const lines = way.map((target) => {
      const move = movesOf(state, order, bounds).find(({ next }) => known.get(keyOf(next)) === target)
      if (move === undefined) throw new Error('a trace cannot be walked again')
      state = move.next
      return move.text
    })
    return { verdict, begins: start.text, lines }
  }
}
