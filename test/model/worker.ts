import { commitFlushed, commitLazily, nextVersion, withMark, withoutMarks } from './database.ts'
import { applied, isForTarget, targetsAt } from './indices.ts'
import type { Move } from './move.ts'
import type { Order } from './orders.ts'
import {
  afterFault,
  describeDocument,
  documentOf,
  type Mark,
  markText,
  type Operation,
  type State,
  type Step,
  type Worker,
} from './state.ts'

/** A worker between two batches. */
export function idle(name: number, { steps: [first = 'claim'] }: Order): Worker {
  return {
    name,
    step: first,
    claim: 'none',
    marks: [],
    awaited: false,
    version: 0,
    wrote: false,
    targets: null,
    content: 0,
    operations: [],
  }
}

/** What the workers do by themselves. */
export function workerMoves(state: State, order: Order): readonly Move[] {
  return state.workers.flatMap((worker) => movesOf(state, order, worker))
}

function movesOf(state: State, order: Order, worker: Worker): readonly Move[] {
  switch (worker.step) {
    case 'claim':
      return claim(state, order, worker)
    case 'draw':
      return [draw(state, order, worker)]
    case 'flush':
      return [flush(state, order, worker)]
    case 'targets':
      return [readTargets(state, order, worker)]
    case 'load':
      return [load(state, order, worker)]
    case 'send':
      return [send(state, order, worker)]
    case 'answer':
      return answers(state, order, worker)
  }
}

export const named = ({ name }: Worker) => `worker ${name}`

export function withWorker(state: State, old: Worker, worker: Worker): State {
  return { ...state, workers: state.workers.map((one) => (one === old ? worker : one)) }
}

function step(state: State, { steps }: Order, worker: Worker, change: Partial<Worker>): State {
  const next: Step = steps[steps.indexOf(worker.step) + 1] ?? 'answer'
  return withWorker(state, worker, { ...worker, step: next, ...change })
}

/** FOR UPDATE SKIP LOCKED. A batch may end after any mark, for marks of other keys share it: one mark, or all. */
function claim(state: State, order: Order, worker: Worker): readonly Move[] {
  let free = state.database.marks
  for (const other of state.workers) if (other.claim === 'open') free = withoutMarks(free, other.marks)
  const distinct = free.filter((mark, n) => free.findIndex((one) => markText(one) === markText(mark)) === n)
  const moves = distinct.map((mark) => take(state, order, worker, [mark], 'claim'))
  return free.length > 1 ? [...moves, take(state, order, worker, free, 'claim-all')] : moves
}

function take(
  state: State,
  order: Order,
  worker: Worker,
  marks: readonly Mark[],
  kind: 'claim' | 'claim-all',
): Move {
  const highest = Math.max(...marks.map(({ version }) => version))
  const version = order.version === 'trigger' ? highest : worker.version
  const what =
    marks.length === 1
      ? `a mark${marks[0]?.target === 'building' ? ' of the walk' : ''}`
      : `${marks.length} marks`
  return {
    kind,
    text: `${named(worker)} claims ${what}${order.version === 'trigger' ? `, version ${version}` : ''}`,
    next: step(state, order, worker, { claim: 'open', marks, version }),
  }
}

/**
 * The shipped draw is one step: whether something else happens between its nextval and its flush makes no difference,
 * for nobody has its number before.
 */
function draw(state: State, order: Order, worker: Worker): Move {
  const drawn = nextVersion(state, order.draw === 'if-written' ? 2 : 1)
  const version = drawn.state.sequence
  const next = order.draw === 'flushed' ? commitFlushed(drawn.state, {}) : drawn.state
  return {
    kind: 'draw',
    text: `${named(worker)} draws version ${version}${order.draw === 'flushed' ? '' : ', which is not flushed'}`,
    next: step(next, order, worker, { version, wrote: drawn.wrote && order.draw === 'if-written' }),
  }
}

/** The commit of a draw that waits only for what it has written itself. */
function flush(state: State, order: Order, worker: Worker): Move {
  const { wrote } = worker
  const what = wrote ? ', flushed' : ' and waits for nothing: another draw wrote for it'
  return {
    kind: 'draw',
    text: `${named(worker)}'s draw commits${what}`,
    next: step(wrote ? commitFlushed(state, {}) : state, order, worker, { wrote: false }),
  }
}

function readTargets(state: State, order: Order, worker: Worker): Move {
  const targets = state.database.reindex
  const names = targetsAt(targets).map(({ index, role }) => `${index} (${role})`)
  return {
    kind: 'targets',
    text: `${named(worker)} reads the targets: ${names.join(', ')}`,
    next: step(state, order, worker, { targets }),
  }
}

function load(state: State, order: Order, worker: Worker): Move {
  const content = documentOf(state.database)
  return {
    kind: 'load',
    text: `${named(worker)} loads the rows: ${describeDocument(content)}`,
    next: step(state, order, worker, { content }),
  }
}

/**
 * One request with an operation for each target. A worker whose claim was cut off after its check sends, too: its answer
 * changes nothing any more, for its settlement fails, so it is free at once.
 */
function send(state: State, order: Order, worker: Worker): Move {
  const { version, content, marks } = worker
  const targets = targetsAt(worker.targets ?? 'none').filter((target) => isForTarget(marks, target))
  const operations = targets.map(({ index }): Operation => ({ index, version, content }))
  const numbered = order.versioned ? ` as version ${version}` : ''
  const what =
    operations.length === 0
      ? 'nothing, for no target is to be filled'
      : `${describeDocument(content)}${numbered} to ${operations.map(({ index }) => index).join(' and ')}`
  if (worker.claim === 'cut') {
    return {
      kind: 'send-cut',
      text: `${named(worker)}, whose claim is gone, sends ${what}`,
      next: { ...withWorker(state, worker, idle(worker.name, order)), late: [...state.late, ...operations] },
    }
  }
  const sent = step(state, order, worker, { operations, version: 0, content: 0, targets: null })
  if (order.acknowledge === 'after-answer')
    return { kind: 'send', text: `${named(worker)} sends ${what}`, next: sent }
  const committed = commitLazily(sent, { marks: withoutMarks(state.database.marks, marks) })
  return {
    kind: 'send',
    text: `${named(worker)} commits its claim and sends ${what}`,
    next: {
      ...committed,
      workers: committed.workers.map((one) =>
        one.operations === operations ? { ...one, claim: 'none', marks: [] } : one,
      ),
    },
  }
}

/** A request under way is applied index by index; then it is answered and settled. Or nobody hears of it any more. */
function answers(state: State, order: Order, worker: Worker): readonly Move[] {
  const moves: Move[] = worker.operations.map((operation) => apply(state, order, worker, operation))
  if (worker.operations.length === 0) {
    moves.push({
      kind: 'settle',
      text: `${named(worker)} has its answer${worker.claim === 'open' ? ' and commits its claim' : ''}`,
      next: settled(state, order, worker, []),
    })
  }
  const left = afterFault(state, 'timeouts')
  if (left === null) return moves
  for (const late of subsets(worker.operations)) moves.push(timeOut(state, order, worker, late, left))
  const refused = refuse(state, order, worker, left)
  return refused === null ? moves : [...moves, refused]
}

/** What was not applied yet is under way (`late`), or lost. */
function timeOut(
  state: State,
  order: Order,
  worker: Worker,
  late: readonly Operation[],
  left: State['left'],
): Move {
  const trusts = order.silence === 'success'
  const next = trusts ? settled(state, order, worker, []) : givenBack(state, order, worker)
  const lost = worker.operations.filter((operation) => !late.includes(operation))
  const claim = worker.claim === 'none' ? '' : ` and ${trusts ? 'commits its claim' : 'rolls its claim back'}`
  return {
    kind: 'time-out',
    text: `${named(worker)} gets no answer in time${claim}${fates(lost, late)}`,
    next: { ...next, late: [...next.late, ...late], left },
  }
}

/** An index was busy (429), or there was no time left to send: what was not applied never is, and the key is marked again. */
function refuse(state: State, order: Order, worker: Worker, left: State['left']): Move | null {
  const [first] = worker.marks
  if (first === undefined || worker.operations.length === 0) return null
  const again = worker.marks.find(({ target }) => target === 'all') ?? first
  return {
    kind: 'refuse',
    text: `${named(worker)} is told that ${names(worker.operations)} did not take it; it marks the key again and commits its claim`,
    next: { ...settled(state, order, worker, [again]), left },
  }
}

function apply(state: State, order: Order, worker: Worker, operation: Operation): Move {
  const { outcome, indices } = applied(state, operation, order)
  const operations = worker.operations.filter((one) => one !== operation)
  const next = withWorker({ ...state, indices }, worker, { ...worker, operations })
  const refused = outcome === 'superseded' ? 'refuses it: a newer version is there' : 'takes it'
  return {
    kind: outcome === 'superseded' ? 'supersede' : 'apply',
    text: `index ${operation.index} ${outcome === 'gone' ? 'is gone' : refused}`,
    next: outcome === 'gone' && worker.claim === 'open' ? { ...next, stray: true } : next,
  }
}

/** The claim's commit does not wait for the disk: a crash that undoes it brings the marks back. */
function settled(state: State, order: Order, worker: Worker, again: readonly Mark[]): State {
  const free = givenBack(state, order, worker)
  if (worker.claim !== 'open') return free
  const rest = withoutMarks(state.database.marks, worker.marks)
  return commitLazily(free, { marks: again.reduce(withMark, rest) })
}

export function givenBack(state: State, order: Order, worker: Worker): State {
  return withWorker(state, worker, idle(worker.name, order))
}

function fates(lost: readonly Operation[], late: readonly Operation[]): string {
  const parts = [
    ...(lost.length === 0 ? [] : [`what was for ${names(lost)} is lost`]),
    ...(late.length === 0 ? [] : [`what was for ${names(late)} is under way`]),
  ]
  return parts.length === 0 ? '; all was applied' : `; ${parts.join(', ')}`
}

function names(operations: readonly Operation[]): string {
  return operations.map(({ index }) => index).join(' and ')
}

function subsets<T>(items: readonly T[]): readonly (readonly T[])[] {
  const [first, ...others] = items
  if (first === undefined) return [[]]
  return subsets(others).flatMap((set) => [set, [first, ...set]])
}
