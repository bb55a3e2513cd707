import type { World, WorldOptions } from './world.ts'

/** What a cell of the benchmarks is, and what it measures. */

/** Set by flags; a cell's own defaults where they are not. */
export interface CellOptions {
  readonly rounds: number
  /** Rows of the table, or keys, or marks: `about` of the cell says which. */
  readonly rows: number
  /** Single-row changes a second; null: the cell's own. */
  readonly rate: number | null
  /** How long a round takes, of a cell that goes by time. */
  readonly seconds: number
}

/** One number of one round. */
export interface Measurement {
  readonly round: number
  /** Which of the cell's figures this is; cells with a single figure have one case. */
  readonly case: string
  readonly value: number
  readonly unit: string
  /** Raw `_bulk` of the same documents in the same round, in the same unit. */
  readonly ceiling?: number
  /** value / ceiling. */
  readonly ratio?: number
  /** What helps to understand it, printed along. */
  readonly details?: Readonly<Record<string, number | string>>
}

/** A figure that a case has to reach: a limit on its value, or on its ratio to the ceiling. */
export interface Figure {
  readonly of: 'value' | 'ratio'
  readonly atMost?: number
  readonly atLeast?: number
}

/** Tells people how far it is. */
export type Note = (text: string) => void

export interface Cell {
  readonly name: string
  /** One or two lines for --help. */
  readonly about: string
  readonly defaults: CellOptions
  /** Figures by case; a case without one is there for comparison. */
  readonly figures: Readonly<Record<string, Figure>>
  /** Its figures are counts, which owe nothing to the machine: where one is not met, the exit code is 1. Default: no. */
  readonly counted?: true
  /** Documents that are configured, and settings of the servers; nothing is installed yet. */
  readonly world: WorldOptions
  /** Why it cannot run on servers that are not its own, as a sentence that begins with `it`. */
  readonly ownServers?: string
  /** Fills tables, installs, warms up and measures. The world is closed behind it, with the daemons it has started. */
  readonly measure: (world: World, options: CellOptions, note: Note) => AsyncGenerator<Measurement>
}

/** Defaults that most cells share. */
export const usual: CellOptions = { rounds: 5, rows: 100_000, rate: null, seconds: 60 }
