import type { Database, Mark, OpenChange, Operation, Slot, State, Worker } from './state.ts'

/**
 * The same text for two states exactly if the same can happen from both, and be judged the same. So what makes no
 * difference is not in it:
 * - which of the workers is which;
 * - which change wrote a row, apart from being the same one or another. Content that no crash and no commit brings back
 *   is wrong for ever, and as wrong as any other;
 * - what is not flushed, where no crash is left to come;
 * - the distance of versions below all that can still be drawn; their order is.
 */
export function keyOf(state: State): string {
  const names = new Names(state)
  const { sequence, open, indices, alias, late, stray, left } = state
  const now = names.database(state.database)
  const older = state.older.map((database) => names.database(database)).filter((text) => text !== now)
  const workers = state.workers.map((worker) => names.worker(worker)).sort()
  const slots = `${names.slot(indices.old)}|${names.slot(indices.new)}|${alias}`
  const changes = `${names.change('root', open.root)}|${names.change('child', open.child)}`
  const faults = `${left.changes}${left.crashes}${left.timeouts}${left.cuts}${left.faults}${stray ? '!' : ''}`
  const text = `${now}|${workers.join('/')}|${slots}|${changes}|${faults}|${names.version(sequence)}`
  if (older.length === 0 && late.length === 0) return text
  const delayed = late.map((operation) => names.operation(operation)).sort()
  return `${text}|${delayed.join()}|${[...new Set(older)].sort().join('/')}`
}

/** Rows by order of appearance, versions by rank: their places in these lists, which are short. */
class Names {
  readonly #root: number[] = [0]
  readonly #child: number[] = [0]
  readonly #versions: number[]
  /** No version up to this one is drawn any more. */
  readonly #floor: number
  readonly #crashes: boolean

  constructor(state: State) {
    const { database, older, open, sequence, left } = state
    this.#crashes = left.crashes > 0
    let floor = sequence
    for (const { root, child, logged } of [...older, database].reverse()) {
      add(this.#root, root)
      add(this.#child, child)
      if (this.#crashes && logged < floor) floor = logged
    }
    if (open.root !== null) add(this.#root, open.root.value)
    if (open.child !== null) add(this.#child, open.child.value)
    this.#floor = floor
    this.#versions = versionsBelow(floor, state)
  }

  /** Below the floor by rank, from it on by distance. */
  version(version: number): number {
    return version < this.#floor
      ? this.#versions.indexOf(version)
      : this.#versions.length + version - this.#floor
  }

  content(content: number): string {
    if (content === 0) return '0'
    const root = this.#root.indexOf(Math.floor(content / 100))
    const child = this.#child.indexOf(content % 100)
    return root < 0 || child < 0 ? 'x' : `${root}.${child}`
  }

  database({ root, child, marks, reindex, logged }: Database): string {
    const sequence = this.#crashes ? this.version(logged) : ''
    return `${this.#root.indexOf(root)},${this.#child.indexOf(child)},${this.marks(marks)},${reindex},${sequence}`
  }

  change(row: 'root' | 'child', change: OpenChange | null): string {
    if (change === null) return ''
    const value = (row === 'root' ? this.#root : this.#child).indexOf(change.value)
    return change.mark === null ? `${value}` : `${value}${this.mark(change.mark)}`
  }

  mark({ target, version }: Mark): string {
    return `${target === 'all' ? 'a' : 'b'}${this.version(version)}`
  }

  marks(marks: readonly Mark[]): string {
    let text = ''
    for (const mark of marks) text += this.mark(mark)
    return text
  }

  operation({ index, version, content }: Operation): string {
    return `${index}${this.version(version)}:${this.content(content)}`
  }

  operations(operations: readonly Operation[]): string {
    if (operations.length === 0) return ''
    return operations.map((operation) => this.operation(operation)).join()
  }

  slot(slot: Slot | null): string {
    return slot === null ? '' : `${this.version(slot.version)}:${this.content(slot.content)}`
  }

  /** Without its name. */
  worker(worker: Worker): string {
    const { step, claim, awaited, version, wrote, targets, content, operations } = worker
    const flags = `${awaited ? '!' : ''}${wrote && this.#crashes ? 'w' : ''}`
    const reads = `${this.version(version)},${targets ?? ''},${this.content(content)}`
    return `${step},${claim},${this.marks(worker.marks)},${flags},${reads},${this.operations(operations)}`
  }
}

function add(names: number[], value: number): void {
  if (!names.includes(value)) names.push(value)
}

/** All different versions in a state that are lower than this, in order. */
function versionsBelow(floor: number, state: State): number[] {
  const { database, older, open, workers, indices, late } = state
  const versions: number[] = [0]
  const see = ({ version }: { readonly version: number }) => {
    if (version < floor) add(versions, version)
  }
  for (const mark of database.marks) see(mark)
  for (const { marks } of older) for (const mark of marks) see(mark)
  if (open.root?.mark) see(open.root.mark)
  if (open.child?.mark) see(open.child.mark)
  for (const worker of workers) {
    see(worker)
    for (const mark of worker.marks) see(mark)
    for (const operation of worker.operations) see(operation)
  }
  if (indices.old !== null) see(indices.old)
  if (indices.new !== null) see(indices.new)
  for (const operation of late) see(operation)
  return versions.sort((a, b) => a - b)
}
