import { encodeBulk } from '../elasticsearch/bulk.ts'
import type { BulkAnswer, ItemVerdict, Operation } from '../elasticsearch/types.ts'
import type { Obstacle } from './types.ts'

/** What sending came to: a verdict for each operation, or the reason why nothing may be acknowledged. */
export type Sent =
  | { readonly outcome: 'answered'; readonly verdicts: readonly ItemVerdict[]; readonly tookMs: number }
  | { readonly outcome: 'obstacle'; readonly obstacle: Obstacle }

export interface BulkSender {
  bulk(body: Buffer, operations: readonly Operation[]): Promise<BulkAnswer>
}

/** Of what the claim's time was over for: marked again, uncharged. */
export const UNSENT: ItemVerdict = {
  outcome: 'retry',
  charged: false,
  type: 'claim_over',
  reason: "the claim's time was over before it was sent",
}

/**
 * Sends operations in one `_bulk` request. A request that is refused as a whole (400: one malformed
 * operation; 413: too large) is halved until the culprit stands alone and is dead: one bad document among n
 * costs at most 1 + 2·log2(n) requests (21 for 1,000) and stops no other (invariant 11). Elasticsearch may have
 * applied some of a refused request: the same version with the same content again changes nothing (invariant 7).
 *
 * `beforeEach` says whether there is still time for a request: halving takes up to REQUEST_TIMEOUT for each, and no body
 * is sent that is older than its claim may become, or a delete might be forgotten by then (`index.gc_deletes`).
 */
export async function sendOperations(
  sender: BulkSender,
  operations: readonly Operation[],
  version: bigint,
  beforeEach: () => Promise<boolean>,
): Promise<Sent> {
  if (!(await beforeEach())) return { outcome: 'answered', verdicts: operations.map(() => UNSENT), tookMs: 0 }
  const body = encodeBulk(operations, version)
  const answer = await sender.bulk(body, operations)
  switch (answer.outcome) {
    case 'answered':
      discard(body)
      return { outcome: 'answered', verdicts: answer.items, tookMs: answer.tookMs }
    case 'unknown':
    case 'blocked':
      return {
        outcome: 'obstacle',
        obstacle: {
          scope: 'elasticsearch',
          type: answer.type,
          reason: answer.reason,
          ...(answer.suspicious ? { suspicious: true } : {}),
        },
      }
    case 'too-large':
      return halve('request_too_large', answer.reason)
    case 'refused':
      return halve(answer.type, answer.reason)
  }

  async function halve(type: string, reason: string): Promise<Sent> {
    if (operations.length === 1) {
      return { outcome: 'answered', verdicts: [{ outcome: 'dead', type, reason }], tookMs: 0 }
    }
    const middle = Math.ceil(operations.length / 2)
    const left = await sendOperations(sender, operations.slice(0, middle), version, beforeEach)
    if (left.outcome === 'obstacle') return left
    const right = await sendOperations(sender, operations.slice(middle), version, beforeEach)
    if (right.outcome === 'obstacle') return right
    return {
      outcome: 'answered',
      verdicts: [...left.verdicts, ...right.verdicts],
      tookMs: left.tookMs + right.tookMs,
    }
  }
}

/**
 * Gives the memory of an answered request back at once. Bodies outlive the young generation while they wait for their answer,
 * and the garbage collector comes by seldom for what has grown old: a dozen megabytes of them lay about.
 */
function discard(body: Buffer): void {
  if (body.buffer instanceof ArrayBuffer) body.buffer.transfer(0)
}
