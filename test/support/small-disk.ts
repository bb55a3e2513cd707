import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serverAccount } from './servers/account.ts'

export interface SmallDisk {
  readonly directory: string
  /** Whatever still uses it keeps it until its end. */
  unmount(): Promise<void>
}

/**
 * A disk of a few megabytes in memory, which the servers' account owns, for a server that is to find it full. Null where
 * this process may not mount one: that takes root.
 */
export function mountSmallDisk(megabytes: number): SmallDisk | null {
  if (serverAccount === null) return null
  const directory = mkdtempSync(join(tmpdir(), 'sluice-small-disk-'))
  const { uid, gid } = serverAccount
  const options = `size=${megabytes}m,mode=700,uid=${uid},gid=${gid}`
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'sluice-test', directory])
  if (mounted.status !== 0) {
    rmdirSync(directory)
    return null
  }
  // Waits for the end of its standard input, which comes at the latest when this process is gone, however (see guard.ts).
  const script = `trap '' INT TERM HUP; cat >/dev/null; umount -l "$1"; rmdir "$1"`
  const guard = spawn('/bin/sh', ['-c', script, 'sluice-small-disk', directory], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const ended = once(guard, 'exit')
  guard.unref()
  const input = guard.stdin
  if ('unref' in input && typeof input.unref === 'function') input.unref()
  return {
    directory,
    unmount: async () => {
      guard.ref()
      input.end()
      await ended
    },
  }
}
