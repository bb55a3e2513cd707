import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const SCRIPT = join(import.meta.dirname, '../chaos/chaos.ts')

/** Servers and daemons take a few seconds to end. */
const ENDED_MS = 60_000
const STARTED_MS = 240_000

const patient = { timeout: STARTED_MS + ENDED_MS }
test('a crash test that is interrupted amid its faults stops everything, and ends', patient, async () => {
  const chaos = spawn(process.execPath, [SCRIPT, '--seconds', '600', '--seed', '1'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // Its guards end the rest.
  onTestFinished(() => void chaos.kill('SIGKILL'))
  let told = ''
  for await (const text of chaos.stderr.iterator({ destroyOnReturn: false })) {
    told += text
    if (told.includes('kill -9 daemon')) break
  }
  chaos.stderr.resume()
  chaos.kill('SIGINT')
  const [code] = await once(chaos, 'exit', { signal: AbortSignal.timeout(ENDED_MS) })
  expect(told).toContain('the faults, begin')
  expect(code).toBe(130)
})
