import type { Random } from '../chaos/random.ts'

/** One row of the table of figures (docs/reliability.md), produced on servers of its own. */
export interface Row {
  readonly name: string
  readonly about: string
  /** What the figure is promised for. `count`: how often; `seconds`: for how long. A row uses one of them. */
  readonly defaults: { readonly count: number } | { readonly seconds: number }
  run(context: RowContext): Promise<RowResult>
}

export interface RowContext {
  readonly count: number
  readonly seconds: number
  readonly random: Random
  readonly say: (text: string) => void
  /** Takes whatever has to end. */
  readonly closing: AsyncDisposableStack
  /** Directory whose `src/` is the program: this project, or one that is broken on purpose. */
  readonly program: string
}

export interface RowResult {
  readonly figures: Readonly<
    Record<string, number | string | null | Readonly<Record<string, number>> | readonly number[]>
  >
  /** Each criterion that is not met, with examples; empty when all are. */
  readonly problems: readonly string[]
}
