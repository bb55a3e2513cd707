import type { State } from './state.ts'

/** Everything that can happen. The shipped order has to make each of them, or the model proves less than it says. */
export const moveKinds = [
  'change',
  'commit',
  'rollback',
  'claim',
  'claim-all',
  'draw',
  'targets',
  'load',
  'send',
  'send-cut',
  'apply',
  'supersede',
  'settle',
  'refuse',
  'time-out',
  'late-apply',
  'late-supersede',
  'late-gone',
  'cut',
  'cut-unnoticed',
  'crash',
  'register',
  'walk',
  'swap',
  'roles',
  'retire',
  'drop',
] as const

export type MoveKind = (typeof moveKinds)[number]

export interface Move {
  readonly kind: MoveKind
  /** One line of a trace. */
  readonly text: string
  readonly next: State
}
