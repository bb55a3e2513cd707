import { execFile } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'vitest'

const GUARD = join(import.meta.dirname, '../support/servers/guard.ts')

/** In a process of its own, which an error that nobody catches ends. */
test('a guard that is ending may be told that nothing is left to watch', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-guard-'))
  const program = `
    import { guardDirectory } from ${JSON.stringify(GUARD)}
    const guard = guardDirectory(${JSON.stringify(directory)}, 'SIGKILL')
    const ended = guard.end()
    guard.watch(null)
    await ended`
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
})
