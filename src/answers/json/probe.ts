import { z } from 'zod'

/** Legs of a probe, each with the one that it is counted from. */
export const legNames = ['written', 'committed', 'claimed', 'indexed', 'acknowledged', 'searchable'] as const

/** What `probe` prints with --json. */
export const probeJson = z.strictObject({
  document: z.string(),
  /** Null: nothing was sent, and no `--id` was given. */
  id: z.string().nullable(),
  /** True when it has passed all legs. Of triggers it says nothing where they were not tried. */
  arrived: z.boolean(),
  /**
   * What wrote the mark. trigger: an UPDATE of the row (--touch); enqueue: the function of that name, and triggers were not
   * measured; null: nothing was written.
   */
  by: z.enum(['trigger', 'enqueue']).nullable(),
  /**
   * Those that it has passed, in the order in which they came. `tookMs` is since the leg before; of `searchable` since
   * `indexed`, for nothing waits for the acknowledgement.
   */
  legs: z.array(
    z.strictObject({
      name: z.enum(legNames),
      /** Milliseconds since the probe began to write. */
      atMs: z.number(),
      tookMs: z.number(),
    }),
  ),
  /** Longest time between two looks: what `claimed` and the later legs may be too late by. */
  resolutionMs: z.number(),
  /** Index that was looked at; null: there was none yet. */
  index: z.string().nullable(),
  /** Version of the document that came out; null: none did. */
  version: z.string().nullable(),
  /** The document's triggers, which have to write the marks of every change but this; null: it is detached, and has none. */
  triggers: z
    .strictObject({
      /** Whether an UPDATE of the row went to them (--touch); those of related tables are never tried. */
      tried: z.boolean(),
      /** By pg_trigger: all that `install` made are there and enabled, on every table of the document. */
      enabled: z.boolean(),
      /** What goes by without a mark, as `doctor` finds it; exit code 3 where it is not empty. */
      gaps: z.array(z.string()),
    })
    .nullable(),
  /** What is to know about what was measured. */
  notes: z.array(z.string()),
  /** Where it stands, and what keeps it; empty when it has arrived. */
  why: z.array(z.string()),
})
