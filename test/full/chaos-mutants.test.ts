import { expect, test } from 'vitest'
import { type MutantName, mutants } from '../chaos/mutants.ts'
import { builtMain } from '../support/built.ts'
import { createMutant } from '../support/mutant.ts'

/** What runs in a crash test is built: a mutant whose types do not fit would never get there. */

test.each(Object.keys(mutants) as MutantName[])(
  'the mutant %s builds',
  { timeout: 120_000 },
  async (name) => {
    const mutant = await createMutant(mutants[name])
    try {
      expect(await builtMain(mutant.root)).toMatch(/main\.js$/)
    } finally {
      await mutant.remove()
    }
  },
)
