import { mutants as chaosMutants } from '../chaos/mutants.ts'
import type { Mutation } from '../support/mutant.ts'
import type { Breakage } from './run.ts'

/** A program that is broken on purpose, which a simulation has to notice. */
export interface SimulationMutant {
  /** Which promise of the design. */
  readonly breaks: string
  /** In its source, and in what stands for its SQL and for the supervisor. */
  readonly source: readonly Mutation[]
  readonly below: Partial<Breakage>
  /** It has to be noticed by the seeds from 1 to this. */
  readonly within: number
}

/** Those of the crash test by the same names, where batches alone can show them. */
export const simulationMutants = {
  'version-before-claim': {
    breaks: 'invariant 3',
    source: chaosMutants['version-before-claim'],
    below: {},
    within: 1_000,
  },
  'version-after-load': {
    breaks: 'invariant 3',
    source: chaosMutants['version-after-load'],
    below: {},
    within: 1_000,
  },
  /** Without what heals it: the floor at the clock, and the looks at versions. */
  'version-not-durable': {
    breaks: 'invariant 4',
    source: chaosMutants['version-not-durable'].filter(({ file }) => /^sync\/(draw|settle)\.ts$/.test(file)),
    below: { drawIsFlushed: false, raisesFloor: false },
    within: 1_000,
  },
  'index-without-version': {
    breaks: 'invariant 7',
    source: chaosMutants['index-without-version'],
    below: {},
    within: 1_000,
  },
  'acknowledged-before-answer': {
    breaks: 'invariant 8',
    source: chaosMutants['acknowledged-before-answer'],
    below: {},
    within: 1_000,
  },
  'silence-is-success': {
    breaks: 'invariant 8',
    source: chaosMutants['silence-is-success'],
    below: {},
    within: 1_000,
  },
  'success-erases-newer-failure': {
    breaks: 'invariant 8',
    source: [],
    below: { successLooksAtVersion: false },
    within: 1_000,
  },
  'refusal-is-charged': {
    breaks: 'invariant 10',
    source: chaosMutants['refusal-is-charged'],
    below: {},
    within: 1_000,
  },
  'targets-before-claim': {
    breaks: 'the reindex',
    source: [
      {
        file: 'sync/batch.ts',
        find: '    claims = await store.openClaim()\n',
        replace: `    work = await store.openWork()
    const early = await work.readWorkableTargets({ document: plan.document, hash, tenants: false })
    work.release(false)
    claims = await store.openClaim()
`,
      },
      {
        file: 'sync/batch.ts',
        find: 'const workable = await work.readWorkableTargets({ document: plan.document, hash, tenants })',
        replace: 'const workable = early',
      },
    ],
    below: {},
    within: 1_000,
  },
  'parked-keys-are-forgotten': {
    breaks: 'invariant 10',
    source: [
      {
        file: 'sync/parking.ts',
        find: '    for (const { key, index } of waiting) outcomes.wait(key, index)\n',
        replace: '    if (waiting.length < 0) outcomes.wait(keys[0], open[0].index)\n',
      },
    ],
    below: {},
    within: 1_000,
  },
  /** Ids commit in another order than they were taken, and nobody looks from the beginning again. */
  'fronts-pass-what-has-not-committed': {
    breaks: 'claims begin at a front',
    source: [
      { file: 'sync/queue-fronts.ts', find: 'const MARGIN_MS = 1_000', replace: 'const MARGIN_MS = 0' },
      {
        file: 'sync/queue-fronts.ts',
        find: 'if (whole) this.#wholeAt = ended + Math.min(LONGEST_MS, SHARE * (ended - began))',
        replace: 'if (whole) this.#wholeAt = Number.POSITIVE_INFINITY',
      },
    ],
    below: {},
    within: 1_000,
  },
} as const satisfies Readonly<Record<string, SimulationMutant>>
