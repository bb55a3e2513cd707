import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { z } from 'zod'
import { statusJson } from '../../src/answers/json/status.ts'

export type Status = z.infer<typeof statusJson>

/** `sluice status --json`, as a monitor would call it. Throws where its exit code is not 0. */
export async function askStatus(
  main: string,
  { config, cwd, env }: { readonly config: string; readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<Status> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [main, 'status', '--json', '--config', config],
    { cwd, env, maxBuffer: 16 * 1024 * 1024 },
  )
  return statusJson.parse(JSON.parse(stdout))
}

export interface Outage {
  /** When it began, milliseconds since 1970: everything runs on one machine here. */
  readonly since: number
  /** host:port of the server that is away. */
  readonly server: string
  readonly daemons: number
  /** What the look before this one said. */
  readonly pendingBefore: number
}

/** How late a daemon may notice and say it. */
const NOTICE_MS = 5_000

/** What a status that was asked for during an outage of Elasticsearch says wrong; empty when it tells the truth. */
export function untruths(
  { documents, workers }: Status,
  { since, server, daemons, pendingBefore }: Outage,
  asked: number,
): readonly string[] {
  const [document] = documents
  if (document === undefined) return ['no document']
  const found: string[] = []
  const alive = workers.filter((worker) => worker.alive)
  if (alive.length !== daemons) found.push(`${alive.length} daemons alive, there are ${daemons}`)
  for (const { instance, state, reason, since: said } of alive) {
    if (state !== 'waiting') found.push(`${instance} is ${state}`)
    if (reason?.includes(server) !== true) found.push(`${instance} waits for ${reason}, not for ${server}`)
    const late = Date.parse(said) - since
    if (Math.abs(late) > NOTICE_MS) found.push(`${instance} waits since ${said}, ${Math.round(late)} ms off`)
  }
  // An estimate may be off by a few percent.
  if (document.pendingKeys < (document.keysAreExact ? 1 : 0.9) * pendingBefore) {
    found.push(`${document.pendingKeys} keys pending, there were ${pendingBefore} already`)
  }
  const oldest = document.oldestPendingMs ?? 0
  if (oldest < asked - since - NOTICE_MS)
    found.push(`the oldest mark is said to be ${Math.round(oldest)} ms old`)
  if (document.retrying + document.dead > 0)
    found.push(`${document.retrying} retrying, ${document.dead} dead`)
  return found
}
