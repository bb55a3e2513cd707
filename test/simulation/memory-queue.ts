import type { LaneFront, Look } from '../../src/queue/pending-lanes.ts'
import type { ParkedQueue } from '../../src/sync/parked-keys.ts'
import { put, remove } from './memory-changes.ts'
import { Connection, type StoreOptions } from './memory-connection.ts'
import { requeueDueFailures } from './memory-failures.ts'
import { sizeOf, waitingFor } from './memory-marks.ts'
import type { MarkRow } from './memory-rows.ts'

/** What a daemon asks of the queue beside its batches. */
export interface MemoryQueue extends ParkedQueue {
  pendingLanes(lanes: readonly LaneFront[]): Promise<Look>
  requeueDueFailures(): Promise<number>
  /** Joins the server: its identity. */
  join(raise: boolean): Promise<string>
}

export function memoryQueue(options: StoreOptions): MemoryQueue {
  const run = async <T>(what: string, statement: (connection: Connection) => T): Promise<T> => {
    const connection = await Connection.open(options)
    try {
      return await connection.run(what, statement)
    } finally {
      connection.release(false)
    }
  }
  return {
    pendingLanes: (asked) =>
      run('polls', ({ postgres }) => {
        const lanes = asked.flatMap(({ document, lane, front }) => {
          const first = postgres.marksOf(document, lane).find(({ id }) => id >= front)
          return first === undefined ? [] : [{ document, lane, front: BigInt(first.id) }]
        })
        return { lanes, lastId: lanes.length === 0 ? null : BigInt(postgres.lastMarkId) }
      }),
    requeueDueFailures: () =>
      run('marks due failures again', ({ postgres, session }) => {
        const { keys, change } = requeueDueFailures(postgres)
        if (keys > 0) postgres.change(session, change, 'flushed')
        return keys
      }),
    join: (raise) =>
      run('joins the database', ({ postgres }) => {
        if (raise) postgres.raiseVersionFloor(0n)
        return postgres.server
      }),
    parkedTargets: (documents) =>
      run('looks for parked keys', ({ postgres }) => {
        const parked = [...postgres.marks.values()].filter(
          ({ document, lane }) => lane === 2 && documents.includes(document),
        )
        const indices = [...new Set(parked.flatMap(({ target }) => target ?? []))].sort()
        return indices.map((index) => {
          const target = postgres.targets.get(index)
          const document = parked.find((mark) => mark.target === index)?.document ?? ''
          return {
            document,
            index,
            registered: target !== undefined,
            releasedAt: target?.releasedAt ?? null,
          }
        })
      }),
    release: (index, maxKeys) =>
      run(`releases keys parked for ${index}`, ({ postgres, session }) => {
        const free = waitingFor(postgres, index)
        const chosen: MarkRow[] = []
        let keys = 0
        for (const mark of free) {
          if (keys >= maxKeys) break
          chosen.push(mark)
          keys += sizeOf(mark)
        }
        const target = postgres.targets.get(index)
        if (keys === 0 || target === undefined) return keys
        for (const mark of chosen) {
          postgres.change(session, put(postgres.marks, mark.id, { ...mark, lane: keys > 100 ? 1 : 0 }))
        }
        const releasedAt = String(postgres.clock)
        postgres.change(session, put(postgres.targets, index, { ...target, releasedAt }), 'flushed')
        return keys
      }),
    forget: (index) =>
      run(`drops keys parked for ${index}`, ({ postgres, session }) => {
        if (postgres.targets.has(index)) return 0
        let keys = 0
        for (const mark of waitingFor(postgres, index)) {
          postgres.change(session, remove(postgres.marks, mark.id), 'flushed')
          keys += sizeOf(mark)
        }
        return keys
      }),
  }
}
