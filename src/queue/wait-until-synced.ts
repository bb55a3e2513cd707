import { setTimeout as delay } from 'node:timers/promises'
import { plural } from '../counts.ts'
import { TimeoutError } from '../errors.ts'
import type { Queryable } from '../postgres/types.ts'
import {
  type DeadDocument,
  isSynced,
  type Pending,
  readDeadOf,
  readPendingOf,
  type TokenQuestion,
} from './sync-token.ts'

export interface SyncWait extends TokenQuestion {
  /** Milliseconds; Infinity waits without an end. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

const FIRST_PAUSE_MS = 10
const LAST_PAUSE_MS = 250

/**
 * Asks until Elasticsearch has answered for all that a token stands for, and returns what of it was given up. Pauses double
 * from 10 to 250 ms, and are never shorter than three answers: with a million marks waiting one takes a while. Throws a
 * TimeoutError that says what is missing, and a FailedError for a token of another server.
 */
export async function waitUntilSynced(
  db: Queryable,
  schema: string,
  { timeoutMs, signal, ...question }: SyncWait,
): Promise<readonly DeadDocument[]> {
  const deadline = performance.now() + timeoutMs
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LAST_PAUSE_MS, pause * 2)) {
    signal?.throwIfAborted()
    const asked = performance.now()
    if (await isSynced(db, schema, question)) return readDeadOf(db, schema, question)
    const now = performance.now()
    if (now >= deadline) throw timeoutError(timeoutMs, await readPendingOf(db, schema, question))
    await delay(Math.min(deadline - now, Math.max(pause, 3 * (now - asked))), undefined, {
      ...(signal === undefined ? {} : { signal }),
    }).catch(() => signal?.throwIfAborted())
  }
}

function timeoutError(timeoutMs: number, pending: readonly Pending[]): TimeoutError {
  const what = pending.map(describe).join('; ') || 'the transaction that made the token has not ended'
  const remedy = pending.map(remedyFor).find((text) => text !== null)
  return new TimeoutError(`not synced within ${timeoutMs} ms: ${what}`, {
    pending: pending.map(({ document }) => document),
    ...(remedy === undefined || remedy === null ? {} : { remedy }),
  })
}

function describe({ document, keys, parked, retrying, runId }: Pending): string {
  const parts = [
    ...(keys > 0 ? [plural(keys, 'key waits', 'keys wait')] : []),
    ...(parked > 0 ? [plural(parked, 'is parked', 'are parked')] : []),
    ...(retrying > 0 ? [`${retrying} failed and are tried again`] : []),
    ...(runId === null ? [] : [`run ${runId} looks at everything`]),
  ]
  return `${document}: ${parts.join(', ')}`
}

function remedyFor({ document, state, attended, parked }: Pending): string | null {
  if (state === 'paused') return `${document} is paused: sluice resume ${document}`
  if (state === 'detached') return `${document} is detached: sluice install`
  if (!attended) return `No daemon works on ${document}: sluice run`
  return parked > 0 ? `sluice status says why keys of ${document} are parked.` : null
}
