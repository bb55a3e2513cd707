import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { simulationMutants } from '../simulation/mutants.ts'

/** `npm run simulate` at length, as a user runs it: a process of its own, for a mutant's modules stay loaded. */
const run = async (...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> => {
  try {
    // What is stuck is shown at length.
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(import.meta.dirname, '../simulation/simulate.ts'), ...args],
      { maxBuffer: 256 * 1024 * 1024 },
    )
    return { code: 0, out: stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout + stderr }
  }
}

const minutes = 60_000

test(
  'ten thousand seeds end with indices that are what the rows are',
  async () => {
    const { code, out } = await run('--seeds', '10000', '--json')
    expect({ code, ...JSON.parse(out) }).toMatchObject({ code: 0, failed: null, runs: 10_000 })
  },
  30 * minutes,
)

test.each(Object.entries(simulationMutants))(
  'the mutant %s is noticed, and shown again by its seed',
  async (name, { within }) => {
    const found = await run('--mutant', name, '--seeds', String(within), '--json')
    const { failed } = JSON.parse(found.out) as { failed: { seed: number; wrong: string[] } | null }
    expect({ code: found.code, noticed: failed !== null }).toEqual({ code: 1, noticed: true })
    const again = await run('--mutant', name, '--seed', String(failed?.seed))
    expect(again).toMatchObject({ code: 1, out: expect.stringContaining(`✘ ${failed?.wrong[0]}`) })
  },
  10 * minutes,
)

test('a command line that is wrong says so', async () => {
  expect(await run('--seed', 'x')).toMatchObject({ code: 2, out: expect.stringContaining('--seed') })
  expect(await run('--mutant', 'no-such')).toMatchObject({
    code: 2,
    out: expect.stringContaining('There are:'),
  })
})
