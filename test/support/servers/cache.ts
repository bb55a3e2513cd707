import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { FailedError } from '../../../src/errors.ts'
import { serverAccount } from './account.ts'
import { runTool } from './run-tool.ts'

/** What is fetched once and kept, outside of the repository. Root's home is closed to the servers' account. */
function cacheDirectory(): string {
  if (serverAccount) return '/var/cache/sluice'
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sluice')
}

/**
 * The cached directory of that name, made by `build` when it is not there yet. Safe for several processes at
 * once (one builds, the others wait) and against a kill in between (it is built aside and renamed).
 */
export async function cached(name: string, build: (directory: string) => Promise<void>): Promise<string> {
  const cache = cacheDirectory()
  const target = join(cache, name)
  if (existsSync(target)) return target
  await mkdir(cache, { recursive: true })
  if (serverAccount) await chmod(cache, 0o755)
  const release = await lock(join(cache, 'lock'))
  try {
    if (existsSync(target)) return target
    const building = await mkdtemp(join(cache, `${name}.part-`))
    try {
      await build(building)
      // Temporary directories are private, and the umask may be: the servers' account has to read it.
      if (serverAccount) await runTool('chmod', ['-R', 'a+rX', building])
      await rename(building, target)
    } finally {
      await rm(building, { recursive: true, force: true })
    }
    return target
  } finally {
    release()
  }
}

/**
 * Holds a file lock by a child that lives as long as its standard input is open: the lock goes with us, however
 * we end. Waiting for it has no deadline, since the holder may be fetching 107 MB.
 */
async function lock(file: string): Promise<() => void> {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const refused = once(holder, 'error').then(([cause]) => {
    throw new FailedError('flock does not run', { cause, remedy: 'install util-linux' })
  })
  await Promise.race([once(holder.stdout, 'data'), refused])
  return () => holder.stdin.end()
}
