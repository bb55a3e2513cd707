import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { scenarios } from '../model/orders.ts'
import { wrongOrders } from '../model/wrong-orders.ts'

/** `npm run model` at length, as a user runs it; test/unit/model.test.ts is its short form. */
async function explored(...args: readonly string[]) {
  // Rejects, with what was printed, where the exit code is not 0.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, '../model/model.ts'), ...args, '--json'],
    { maxBuffer: 64 * 1024 * 1024 },
  )
  const lines = stdout.trim().split('\n')
  return lines.map((line) => JSON.parse(line) as { variant: string; ok: boolean; states: number })
}

test('each variant is as it has to be', { timeout: 600_000 }, async () => {
  const found = await explored()
  const names = [...Object.keys(scenarios), ...Object.keys(wrongOrders)]
  expect(found).toMatchObject(names.map((variant) => ({ variant, ok: true })))
})

test.each([
  ['shipped-faults', ['--changes', '3', '--faults', '2'], 276_514],
  ['shipped-reindex', ['--crashes', '1', '--cuts', '1'], 1_562_251],
])('%s within larger bounds %j', { timeout: 600_000 }, async (variant, bounds, states) => {
  expect(await explored('--variant', variant, ...bounds)).toMatchObject([{ variant, ok: true, states }])
})
