import type pg from 'pg'
import type { DocumentPlan } from '../documents/types.ts'
import type { Step } from './steps.ts'

/**
 * Something else that is put into effect together with the documents, and is above this folder: the schedules. Planned
 * after the documents and before anything is changed, carried out after them.
 */
export interface InstallPart {
  /** Reads only. */
  plan(
    client: pg.ClientBase,
    planned: Planned,
  ): Promise<{ readonly steps: readonly Step[]; readonly notes: readonly string[] }>
  /** Makes it so, whatever is there. */
  apply(): Promise<void>
}

export interface Planned {
  /** Our schema is missing or older than this program. */
  readonly migrate: boolean
  /** Of all documents that can be installed. */
  readonly plans: readonly DocumentPlan[]
  /** Told what cannot be installed, with its place in the configuration; throws where nobody collects that. */
  readonly onRefused: (where: string, error: unknown) => void
}
