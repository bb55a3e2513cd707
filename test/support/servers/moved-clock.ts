import { globSync } from 'node:fs'
import { join } from 'node:path'
import { falseClockOf } from '../false-clock.ts'
import { cached } from './cache.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'
import { runTool } from './run-tool.ts'

export interface MovedPostgres extends PostgresServer {
  /** Sets the server's clock by so many seconds away from the right time, at once and for all its processes. */
  moveClock(seconds: number): void
}

/**
 * The library that shows a process another time (Debian package `libfaketime`): the one that is installed, or the package's,
 * fetched once; null where neither can be had.
 */
export async function findFaketime(): Promise<string | null> {
  const [installed] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
  if (installed !== undefined) return installed
  try {
    const directory = await cached('libfaketime', async (building) => {
      await runTool('apt-get', ['-q', 'download', 'libfaketime'], { cwd: building })
      const [archive = ''] = globSync(join(building, '*.deb'))
      await runTool('dpkg', ['-x', archive, building], { cwd: building })
    })
    return globSync(join(directory, 'usr/lib/*/faketime/libfaketime.so.1'))[0] ?? null
  } catch {
    return null
  }
}

/** A Postgres whose clock can be set. Its monotonic clock stays as it is, as with a machine whose clock is set. */
export async function startMovablePostgres(library: string): Promise<MovedPostgres> {
  const clock = falseClockOf(library, { FAKETIME_NO_CACHE: '1' })
  const server = await startPostgres({ env: clock.environment })
  const stop = server.stop.bind(server)
  return Object.assign(server, {
    moveClock: clock.set,
    stop: async () => {
      await stop()
      clock.remove()
    },
  })
}
