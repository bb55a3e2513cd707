import type { Claim, Lane, Settlement } from '../../src/queue/types.ts'
import type { ClaimSession } from '../../src/sync/batch-store.ts'
import { put } from './memory-changes.ts'
import type { Connection } from './memory-connection.ts'
import { eraseFailures, recordFailures } from './memory-failures.ts'
import { take, takeUpTo, waitingFor } from './memory-marks.ts'
import type { MemoryPostgres, Session } from './memory-postgres.ts'
import { markRoots, requestRewrite, verifyInstead } from './memory-turns.ts'

/** The connection of a batch that holds its claim. */
export function claimSession(connection: Connection): ClaimSession {
  const { postgres, session } = connection
  const lock = (mode: 'exclusive' | 'shared') =>
    connection.run(
      `locks the failures (${mode})`,
      () => {
        // Outside a transaction it is released at once.
        if (session.transaction !== null && session.transaction.failureLock !== 'exclusive') {
          session.transaction.failureLock = mode
        }
      },
      () => postgres.isFailureLockFree(mode, session),
    )
  return {
    claimMarks: ({ document, lane, front = 0n, target, maxKeys, idleTimeoutMs }) =>
      connection.run(`claims marks of lane ${lane}${target === undefined ? '' : ` for ${target}`}`, () => {
        const taken =
          target === undefined
            ? takeUpTo(postgres, { document, lane, front, maxKeys })
            : waitingFor(postgres, target).slice(0, 1)
        if (taken.length === 0) return null
        const transaction = postgres.begin(session)
        session.idleTimeoutMs = idleTimeoutMs
        for (const mark of taken) take(postgres, session, mark)
        const marks = taken.map(({ createdAt, ...mark }) => ({
          ...mark,
          id: String(mark.id),
          runId: null,
          ageMs: Math.max(0, postgres.clock - createdAt),
        }))
        return { document, lane, marks, server: postgres.server, xid: transaction.xid } satisfies Claim & {
          xid: string
        }
      }),
    assertClaimLives: () =>
      connection.run('looks whether its claim lives', () => {
        if (session.transaction === null) {
          throw new Error('Connection terminated: the claim is gone, its marks are free again')
        }
      }),
    lockFailures: () => lock('exclusive'),
    recordBrake: ({ document, deletes }) =>
      connection.run('counts deletes', () => {
        const row = postgres.documents.get(document)
        if (row !== undefined) {
          const counted = { ...row, brakeDeletes: row.brakeDeletes + deletes }
          postgres.change(session, put(postgres.documents, document, counted))
        }
        return null
      }),
    requestRewrite: ({ reason }) =>
      connection.run(`requests a verify: ${reason}`, () => requestRewrite(postgres, session, reason)),
    noteForeignVersion: () => connection.run('notes a foreign version', () => undefined),
    setAlarm: (_, alarm) => connection.run(`sets an alarm: ${alarm}`, () => undefined),
    settle: async (settlement, { maxRetries }) => {
      const { failures, succeeded } = settlement
      const judged = failures.length > 0 || succeeded.size > 0
      if (judged) await lock(failures.length > 0 ? 'exclusive' : 'shared')
      await connection.run(
        () => settlementText(settlement),
        () => {
          if (judged) {
            postgres.change(session, recordFailures(postgres, { ...settlement, maxRetries }))
            postgres.change(session, eraseFailures(postgres, { ...settlement, maxRetries }))
          }
          markAgain(postgres, session, settlement, settlement.lane, settlement.givenBack)
          markAgain(postgres, session, settlement, 2, settlement.parked)
          postgres.commit(session, 'lazy')
        },
      )
    },
    giveBack: async () => {
      await connection.run('gives its claim back', () => postgres.rollback(session)).catch(() => undefined)
    },
    markRoots: (turn) => connection.run('turns large marks', () => markRoots(postgres, session, turn)),
    verifyInstead: (turn) => connection.run('verifies instead', () => verifyInstead(postgres, session, turn)),
    release: (broken) => connection.release(broken),
  }
}

function settlementText({ succeeded, failures, givenBack, parked }: Settlement): string {
  const keys = new Set([...succeeded.values()].flat())
  const parts = [
    keys.size > 0 ? `done ${[...keys].join(' ')}` : '',
    failures.length > 0 ? `failed ${failures.map(({ key, type }) => `${key} (${type})`).join(' ')}` : '',
    givenBack.length > 0 ? `given back ${givenBack.map(({ key }) => key).join(' ')}` : '',
    parked.length > 0 ? `parked ${parked.map(({ key, target }) => `${key} for ${target}`).join(' ')}` : '',
  ]
  return `settles: ${parts.filter((part) => part !== '').join(', ')}`
}

function markAgain(
  postgres: MemoryPostgres,
  session: Session,
  { document }: Settlement,
  lane: Lane,
  keys: Settlement['givenBack'],
): void {
  const kinds = Map.groupBy(keys, ({ op, origin, target }) => JSON.stringify([op, origin, target]))
  for (const some of kinds.values()) {
    const [first] = some
    if (first === undefined) continue
    const { op, origin, target } = first
    const createdAt = postgres.clock - Math.max(...some.map(({ ageMs }) => ageMs))
    const row = {
      document,
      lane,
      source: '',
      keys: some.map(({ key }) => key),
      op,
      origin,
      target,
      createdAt,
    }
    postgres.change(session, postgres.insertMark(row))
  }
}
