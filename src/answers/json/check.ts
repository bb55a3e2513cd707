import { z } from 'zod'
import { stepJson } from './install.ts'

/** Something that a migration breaks or changes, or that is not as the configuration has it. */
const findingJson = z.strictObject({
  /** breaks: documents go wrong, or the migration is refused; changes: somebody has to know, or to do something. */
  effect: z.enum(['breaks', 'changes']),
  kind: z.enum(['refused', 'lost', 'table', 'column', 'partition', 'capture', 'configuration']),
  document: z.string().nullable(),
  /** Fields of the document that are concerned, as far as they are known. */
  fields: z.array(z.string()),
  /** Statement that did it, `file:line`; null where it is the file as a whole. */
  where: z.string().nullable(),
  what: z.string(),
  remedy: z.string().nullable(),
})

/** What `check` prints with --json. Exit code 0: no findings and no steps. */
export const checkJson = z.strictObject({
  findings: z.array(findingJson),
  /** What sluice install would do; with --migration, what it would have to do because of it. */
  steps: z.array(stepJson),
  /** Marks that the migration's own changes of data would write. */
  marks: z.array(
    z.strictObject({
      document: z.string(),
      keys: z.number().int().nonnegative(),
      /** True when all of the document would be looked at. */
      everything: z.boolean(),
    }),
  ),
  /** Tables of documents that the migration changes, or whose rows it does; by itself no finding. */
  touches: z.array(
    z.strictObject({
      document: z.string(),
      table: z.string(),
      /** The strongest lock that it takes: ROW EXCLUSIVE, … ACCESS EXCLUSIVE. */
      lock: z.string(),
      /** Triggers of the document there. */
      triggers: z.array(z.string()),
    }),
  ),
  /** What an operator should know; not a finding. */
  notes: z.array(z.string()),
})
