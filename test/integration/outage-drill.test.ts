import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** `npm run outage` in short; servers of its own. Ten minutes of it are for a person to run. */

const program = join(import.meta.dirname, '../chaos/outage.ts')

test('Elasticsearch is killed under writes, stays away and comes back: nothing is charged, fails, or is lost, and status is right', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [program, '--minutes', '0.1', '--rate', '50', '--json'],
    { env: { PATH: process.env.PATH, HOME: process.env.HOME } },
  )
  expect(JSON.parse(stdout)).toMatchObject({
    ok: true,
    errors: 0,
    untrue: 0,
    charged: 0,
    missing: 0,
    stale: 0,
    extra: 0,
  })
}, 600_000)
