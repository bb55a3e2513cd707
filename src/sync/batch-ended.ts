import type { Logger } from 'pino'
import type { Assignment, Dispatcher } from './dispatcher.ts'
import type { DocumentPauses } from './document-pauses.ts'
import type { BatchResult, Obstacle } from './types.ts'

/** What a batch's end may be of consequence for. */
export interface Consequences {
  readonly log: Logger
  readonly dispatcher: Dispatcher
  readonly pauses: DocumentPauses
  /** Elasticsearch has answered. */
  readonly served: () => void
  /** There may be more to do: look for marks now. */
  readonly hurry: () => void
  readonly goneAway: (server: 'postgres' | 'elasticsearch', reason: string) => void
}

/** What is to be done after a batch: what it noticed is said, its document paused or taken up again, a server waited for. */
export function batchEnded(of: Consequences, assignment: Assignment, result: BatchResult): void {
  const { log, dispatcher, pauses } = of
  const { document } = assignment
  switch (result.outcome) {
    case 'settled':
      if (result.tripped !== null) log.error({ document, reason: result.tripped }, 'deletes are held back')
      if (result.foreign !== null) log.error({ document, reason: result.foreign }, 'a verify is requested')
      if (serves(result)) of.served()
      // A trial says nothing of the document's other indices.
      if (result.obstacle === null && assignment.target === undefined) pauses.end(document)
      else if (result.obstacle !== null) {
        obstructed(of, document, result.obstacle, { moving: isMoving(result) })
      }
      of.hurry()
      break
    case 'expanded':
      if (result.verify !== null) log.warn({ document, reason: result.verify }, 'verify requested')
      // It is not known yet whether Elasticsearch takes the document's batches.
      dispatcher.tryAgain(document)
      of.hurry()
      break
    case 'given-back':
      obstructed(of, document, result.obstacle)
      break
    case 'empty':
  }
}

type Settled = Extract<BatchResult, { outcome: 'settled' }>

/** Some of it was done, or it was a step of a search that ends. */
function isMoving({ tally, obstacle }: Settled): boolean {
  return tally.anyDone || obstacle?.moving === true
}

/** Not so where a batch came to nothing but a request without an answer. */
function serves(result: Settled): boolean {
  return result.obstacle?.scope !== 'elasticsearch' || isMoving(result)
}

function obstructed(
  { dispatcher, pauses, goneAway }: Consequences,
  document: string,
  obstacle: Obstacle,
  { moving = false } = {},
): void {
  if (obstacle.scope === 'index') return
  dispatcher.obstructed(obstacle)
  if (obstacle.scope === 'document') {
    pauses.begin(document, obstacle, { moving })
    return
  }
  // The document waits as well: a server that answers probes and not this document's batches must not be hammered.
  if (obstacle.suspicious) dispatcher.pause(document, obstacle, { moving })
  goneAway(obstacle.scope, obstacle.reason)
}
