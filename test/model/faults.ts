import { applied } from './indices.ts'
import type { Move } from './move.ts'
import type { Order } from './orders.ts'
import { afterFault, type Database, describeDocument, type State, type Worker } from './state.ts'
import { givenBack, idle, named, withWorker } from './worker.ts'

/** What happens to everybody: requests that are applied late, claims that are cut off, crashes of Postgres. */
export function faultMoves(state: State, order: Order): readonly Move[] {
  return [...lateArrivals(state, order), ...cuts(state, order), ...crashes(state, order)]
}

function lateArrivals(state: State, order: Order): readonly Move[] {
  return state.late.map((operation): Move => {
    const { outcome, indices } = applied(state, operation, order)
    const { index, version, content } = operation
    const what = `${describeDocument(content)}${order.versioned ? `, version ${version},` : ''} arrives late at index ${index}`
    const late = state.late.filter((one) => one !== operation)
    const ends = {
      applied: 'and is taken',
      superseded: 'and is refused: a newer version is there',
      gone: ', which is gone',
    }
    const kinds = { applied: 'late-apply', superseded: 'late-supersede', gone: 'late-gone' } as const
    return { kind: kinds[outcome], text: `${what} ${ends[outcome]}`, next: { ...state, indices, late } }
  })
}

/** The session of a claim ends (a stopped process, an operator, the network): its marks are free at once. */
function cuts(state: State, order: Order): readonly Move[] {
  const left = afterFault(state, 'cuts')
  if (left === null) return []
  return state.workers
    .filter(({ claim, step }) => claim === 'open' && step !== 'answer')
    .map((worker): Move => {
      const unnoticed = worker.step === 'send'
      return {
        kind: unnoticed ? 'cut-unnoticed' : 'cut',
        text: `${named(worker)}'s claim is cut off${unnoticed ? ', after its check' : '; it sends nothing'}`,
        next: { ...cut(state, order, worker), left },
      }
    })
}

/** Before its check it will notice, and does nothing more; a request under way goes on. */
function cut(state: State, order: Order, worker: Worker): State {
  if (worker.step === 'send') return withWorker(state, worker, { ...worker, claim: 'cut', awaited: false })
  return { ...givenBack(state, order, worker), late: [...state.late, ...worker.operations] }
}

/** Open transactions are gone, and of what was committed since the last flush any end part. */
function crashes(state: State, order: Order): readonly Move[] {
  const left = afterFault(state, 'crashes')
  if (left === null) return []
  let rest: State = { ...state, left, open: { root: null, child: null } }
  for (const worker of state.workers) {
    if (worker.claim === 'cut') continue
    rest =
      worker.claim === 'none'
        ? withWorker(rest, worker, { ...idle(worker.name, order), ...sentBy(worker) })
        : cut(rest, order, worker)
  }
  return [state.database, ...state.older].map((database, lost): Move => {
    const undone = lost === 0 ? '' : `; undone: ${difference(state.database, database)}`
    return {
      kind: 'crash',
      text: `Postgres crashes and recovers${undone}; versions go on after ${database.logged}`,
      next: { ...rest, database, older: [], sequence: database.logged },
    }
  })
}

/** Acknowledged before its answer, a request has no claim to lose. */
function sentBy({ step, operations }: Worker): Partial<Worker> {
  return operations.length === 0 ? {} : { step, operations }
}

function difference(now: Database, then: Database): string {
  const parts = [
    ...(now.root === then.root ? [] : ['the root row']),
    ...(now.child === then.child ? [] : ['the child row']),
    ...(now.marks.length === then.marks.length
      ? []
      : [
          `${Math.abs(now.marks.length - then.marks.length)} mark(s) ${now.marks.length > then.marks.length ? 'written' : 'settled'}`,
        ]),
    ...(now.reindex === then.reindex ? [] : ['a step of the reindex']),
    ...(now.logged === then.logged ? [] : ['versions drawn']),
  ]
  return parts.join(', ') || 'nothing that is seen'
}
