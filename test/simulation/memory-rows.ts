import type { Lane, MarkOp } from '../../src/queue/types.ts'

/** Rows of the tables that a batch reads and writes: the application's, and sluice's own. */

export interface Author {
  readonly name: string
}

export interface Article {
  readonly title: string
  readonly author: string | null
}

export interface MarkRow {
  readonly id: number
  readonly document: string
  readonly lane: Lane
  readonly source: string
  readonly keys: readonly string[] | null
  readonly op: MarkOp
  readonly origin: string
  readonly target: string | null
  readonly createdAt: number
}

export interface FailureRow {
  readonly document: string
  readonly key: string
  readonly target: string
  readonly version: bigint
  readonly state: 'retrying' | 'dead'
  readonly attempts: number
  readonly dueAt: number | null
  readonly type: string
  readonly origin: string
  readonly op: MarkOp
}

export interface DocumentRow {
  readonly state: 'active' | 'paused'
  readonly hash: string
  readonly brakeDeletes: number
}
