import type { ChoresContext } from './daemon-chores.ts'
import type { Vitals } from './observer.ts'

/** How a daemon stands at this moment, for whoever counts what it does; `draws`: versions drawn since it began. */
export function vitalsOf(context: ChoresContext, draws: number): Vitals {
  const { pool, dispatcher, blocked, waiting, state } = context
  const { totalCount, idleCount, waitingCount, options } = pool
  return {
    state: state().state,
    inFlight: dispatcher.inFlight,
    pauses: [
      ...dispatcher.pauses.map(({ document, type }) => ({ document, index: null, type })),
      ...blocked.all.map(({ document, index, type }) => ({ document, index, type })),
      ...[...waiting.keys()].map((document) => ({ document, index: null, type: 'waiting' })),
    ],
    draws,
    connections: { open: totalCount, idle: idleCount, waiting: waitingCount, most: options.max },
  }
}
