import { type Database, type Mark, markText, type State } from './state.ts'

/** Commits, and waits for the disk: what was committed before is safe from a crash from now on, too. */
export function commitFlushed(state: State, change: Partial<Database>): State {
  return { ...state, database: { ...state.database, ...change }, older: [] }
}

/** Commits without waiting (`synchronous_commit = off`): a crash may undo it, with all that was committed after it. */
export function commitLazily(state: State, change: Partial<Database>): State {
  const older = state.left.crashes === 0 ? [] : [...state.older, state.database]
  return { ...state, database: { ...state.database, ...change }, older }
}

/**
 * nextval(). Postgres writes one WAL record of a sequence for `ahead` numbers (32 of them), and after a crash continues
 * behind the last one that was flushed. With 1, each draw writes one; with 2, every other draw writes none.
 */
export function nextVersion(
  state: State,
  ahead: 1 | 2 = 1,
): { readonly state: State; readonly wrote: boolean } {
  const sequence = state.sequence + 1
  if (sequence <= state.database.logged) return { state: { ...state, sequence }, wrote: false }
  const logged = sequence + ahead - 1
  return { state: { ...commitLazily(state, { logged }), sequence }, wrote: true }
}

export function withMark(marks: readonly Mark[], mark: Mark | null): readonly Mark[] {
  if (mark === null) return marks
  return [...marks, mark].sort((a, b) => (markText(a) < markText(b) ? -1 : 1))
}

export function withoutMarks(marks: readonly Mark[], some: readonly Mark[]): readonly Mark[] {
  const left = [...marks]
  for (const { target, version } of some) {
    const at = left.findIndex((mark) => mark.target === target && mark.version === version)
    if (at < 0) throw new Error(`the model is wrong: a claimed mark is not in the queue`)
    left.splice(at, 1)
  }
  return left
}
