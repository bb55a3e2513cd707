import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { FailedError } from '../../src/errors.ts'
import type { MutantName } from './mutants.ts'

/** What the crash test may notice; all of it is 0 for the program as it is. */
const figures = ['missing', 'stale', 'extra', 'unreported'] as const
type Found = Readonly<Record<(typeof figures)[number], number>> & { readonly drained: boolean }

interface Trials {
  readonly names: readonly MutantName[]
  readonly seconds: number
  /** Of the first run of each; a mutant that it did not notice gets others, with the seeds after it. */
  readonly seed: number
  readonly signal: AbortSignal
  readonly told: (trial: Trial) => void
}

interface Trial extends Found {
  readonly mutant: MutantName
  readonly seed: number
  readonly noticed: boolean
}

/** Runs of a mutant that are to notice it, at most. */
const RUNS = 5

/**
 * The test of the test: a crash test of each mutant. True when every one was noticed, and the program as it is was not, under
 * the very same conditions: what that were noticed for, being slow to drain for instance, would say nothing.
 */
export async function tryMutants({ names, seconds, seed, signal, told }: Trials): Promise<boolean> {
  const control = await crashTest('unbroken', { seconds, seed, signal })
  const clean = control.drained && figures.every((figure) => control[figure] === 0)
  told({ mutant: 'unbroken', seed, ...control, noticed: !clean })
  if (!clean) return false
  let all = true
  for (const mutant of names) {
    let noticed = false
    for (let run = 0; run < RUNS && !noticed; run++) {
      const found = await crashTest(mutant, { seconds, seed: seed + run, signal })
      noticed = figures.some((figure) => found[figure] !== 0)
      told({ mutant, seed: seed + run, ...found, noticed })
    }
    all &&= noticed
  }
  return all
}

async function crashTest(
  mutant: MutantName,
  { seconds, seed, signal }: Pick<Trials, 'seconds' | 'seed' | 'signal'>,
): Promise<Found> {
  const options = ['--json', '--mutant', mutant, '--seconds', String(seconds), '--seed', String(seed)]
  const child = spawn(process.execPath, [join(import.meta.dirname, 'chaos.ts'), ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    signal,
    killSignal: 'SIGTERM',
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(child, 'close')
  const found = text.trim() === '' ? null : (JSON.parse(text) as Partial<Found>)
  const { missing, stale, extra, unreported, drained } = found ?? {}
  if (
    missing === undefined ||
    stale === undefined ||
    extra === undefined ||
    unreported === undefined ||
    drained === undefined
  ) {
    throw new FailedError(`the crash test of the mutant ${mutant} came to no verdict`)
  }
  return { missing, stale, extra, unreported, drained }
}
