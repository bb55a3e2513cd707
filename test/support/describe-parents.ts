import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, test } from 'vitest'
import { eventually } from './eventually.ts'
import { isAlive, processTree } from './servers/processes.ts'

/** A server, how the program that started it ends (see start-and-wait.ts), and the signal that makes it do so. */
export type Parent = readonly [
  kind: 'postgres' | 'elasticsearch',
  end: 'wait' | 'freeze' | 'throw' | 'exit' | 'forget',
  signal: NodeJS.Signals | null,
]

/** Tests that a server is gone, processes and directory, however the program that started it ends. */
export function describeParents(cases: readonly Parent[]): void {
  describe('no server survives its parent', () => {
    test.each(cases)(
      '%s, when the parent ends by: %s %s',
      { timeout: 300_000 },
      async (kind, end, signal) => {
        const script = new URL('./start-and-wait.ts', import.meta.url).pathname
        const parent = spawn(process.execPath, [script, kind, end], { stdio: ['ignore', 'pipe', 'ignore'] })
        const exited = once(parent, 'exit')
        const [line] = await once(createInterface(parent.stdout), 'line')
        const { pid, directory } = JSON.parse(line)
        const tree = processTree(pid)
        if (signal) parent.kill(signal)
        await exited
        await eventually(() => !existsSync(directory) && !tree.some(isAlive), {
          describe: () => ({ directory: existsSync(directory), alive: tree.filter(isAlive) }),
        })
      },
    )
  })
}
