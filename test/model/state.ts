/**
 * One document, and all that matters to it. Its content comes from two rows, its own (`root`) and one of a related table
 * (`child`), for two transactions that change the same row wait for each other, and two that change two rows do not.
 */

/** How far the reindex is, as committed: what a batch reads, and where another daemon takes over. */
export type ReindexStep = 'none' | 'walked' | 'walk' | 'drain' | 'swap' | 'swapped' | 'retired'

/** `old`: the index that is there from the beginning. `new`: the one that the reindex builds. */
export type IndexName = 'old' | 'new'

export interface Mark {
  /** `building` is a mark of the reindex' walk, for the index that is being built. */
  readonly target: 'all' | 'building'
  /** 0, but for the wrong order in which the trigger draws it. */
  readonly version: number
}

/** What Postgres has committed. */
export interface Database {
  /** Which change wrote the row, from 1; 0: it is not there. */
  readonly root: number
  readonly child: number
  /** In order of {@link markText}. One that is claimed is among them: its deletion is not committed yet. */
  readonly marks: readonly Mark[]
  readonly reindex: ReindexStep
  /** Where the sequence of versions stands after a crash: as high as WAL records of it say. */
  readonly logged: number
}

/** A transaction of the application that has changed its row, and is open. */
export interface OpenChange {
  readonly value: number
  /** Written by the trigger in the same transaction; null where a wrong order writes none. */
  readonly mark: Mark | null
}

/** An `index` (content) or `delete` (0) for one index, on its way to it. */
export interface Operation {
  readonly index: IndexName
  readonly version: number
  readonly content: number
}

export type Step = 'claim' | 'draw' | 'flush' | 'targets' | 'load' | 'send' | 'answer'

export interface Worker {
  /** For the traces. Two workers that are in the same state are the same. */
  readonly name: number
  /** What it does next. */
  readonly step: Step
  /** `cut`: its session was ended, and it does not know yet. */
  readonly claim: 'none' | 'open' | 'cut'
  /** What an open claim has taken. */
  readonly marks: readonly Mark[]
  /** The drop of the index before waits for this claim. */
  readonly awaited: boolean
  readonly version: number
  /** Its draw has written a WAL record, for which its commit waits where it waits for the disk at all. */
  readonly wrote: boolean
  /** What it knows of the targets: how far the reindex was when it looked. */
  readonly targets: ReindexStep | null
  readonly content: number
  /** Sent, and not applied yet. */
  readonly operations: readonly Operation[]
}

/** What an index holds of the document. A deleted one leaves a tombstone: its version with content 0. */
export interface Slot {
  readonly version: number
  readonly content: number
}

/** What may still happen: each bound counts down. */
export interface Left {
  readonly changes: number
  /** Of all kinds. */
  readonly faults: number
  readonly crashes: number
  readonly timeouts: number
  readonly cuts: number
}

export interface State {
  readonly database: Database
  /** What a crash may leave instead of `database`: what was committed before commits that are not flushed yet. */
  readonly older: readonly Database[]
  /** Last version drawn. */
  readonly sequence: number
  /** Changes of the application so far: each writes what no other writes. */
  readonly made: number
  /** By row: a row has one open transaction at most, for others wait for its lock. */
  readonly open: { readonly root: OpenChange | null; readonly child: OpenChange | null }
  readonly workers: readonly Worker[]
  /** Null: no such index. */
  readonly indices: { readonly old: Slot | null; readonly new: Slot | null }
  readonly alias: IndexName
  /** Operations that nobody waits for any more, and that may be applied at any time. */
  readonly late: readonly Operation[]
  /** A batch whose claim lives has written to an index that is gone. */
  readonly stray: boolean
  readonly left: Left
}

/** The document that the rows come to; 0: none. */
export function documentOf({ root, child }: Pick<Database, 'root' | 'child'>): number {
  return root === 0 ? 0 : root * 100 + child
}

/** Changes are told apart by letters: `root b, child a` is what the second change of the root row left. */
export function describeDocument(content: number): string {
  if (content === 0) return 'no document'
  return `root ${letter(Math.floor(content / 100))}, child ${letter(content % 100)}`
}

export function letter(value: number): string {
  return String.fromCharCode(96 + value)
}

export function markText({ target, version }: Mark): string {
  return target === 'all' ? `a${version}` : `b${version}`
}

/** What is left after one more fault of this kind, or null where there may be none. */
export function afterFault(
  { left }: Pick<State, 'left'>,
  kind: 'crashes' | 'timeouts' | 'cuts',
): Left | null {
  if (left.faults === 0 || left[kind] === 0) return null
  if (left.faults === 1) return { ...left, faults: 0, crashes: 0, timeouts: 0, cuts: 0 }
  return { ...left, faults: left.faults - 1, [kind]: left[kind] - 1 }
}
