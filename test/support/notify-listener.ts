import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** What stands in for systemd where there is none: a `systemd-notify` that writes down what it is to send. */
export interface NotifyListener {
  /** Environment of a service that systemd started. */
  readonly env: { readonly NOTIFY_SOCKET: string; readonly PATH: string }
  /** All assignments that were sent, in order: `READY=1`, `STATUS=running` … */
  heard(): Promise<readonly string[]>
  remove(): Promise<void>
}

export async function notifyListener(): Promise<NotifyListener> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-notify-'))
  const file = join(folder, 'heard')
  const program = join(folder, 'systemd-notify')
  await writeFile(program, `#!/bin/sh\nprintf '%s\\n' "$@" >> '${file}'\n`)
  await chmod(program, 0o755)
  await writeFile(file, '')
  return {
    env: { NOTIFY_SOCKET: join(folder, 'socket'), PATH: `${folder}${delimiter}${process.env.PATH}` },
    heard: async () => (await readFile(file, 'utf8')).split('\n').slice(0, -1),
    remove: () => rm(folder, { recursive: true }),
  }
}
