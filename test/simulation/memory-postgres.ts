import type { BatchTarget, Lane } from '../../src/queue/types.ts'
import { type Change, put } from './memory-changes.ts'
import type { Article, Author, DocumentRow, FailureRow, MarkRow } from './memory-rows.ts'

/**
 * What of Postgres a batch can notice, in memory: rows, marks with their locks, transactions that become visible at their
 * commit, and a log of which a crash forgets what was not flushed. Statements see what is committed when they run, as READ
 * COMMITTED does, each at one moment. Not here: deadlocks (the application takes its rows in one order), replicas.
 */

/** What of its behaviour a mutant breaks: SQL, which does not run here. */
export interface Rules {
  /** A draw commits with a flush behind the sequence's own record (invariant 4). */
  readonly drawIsFlushed: boolean
  /** A success erases failures of versions up to its own alone (invariant 8). */
  readonly successLooksAtVersion: boolean
}

export const RULES: Rules = { drawIsFlushed: true, successLooksAtVersion: true }

/** Numbers that one WAL record of a sequence stands for. */
const SEQUENCE_AHEAD = 32n

class Transaction {
  readonly changes: Change[] = []
  readonly rowLocks = new Set<string>()
  readonly markLocks = new Set<number>()
  failureLock: 'exclusive' | 'shared' | null = null
  readonly xid: string

  constructor(xid: string) {
    this.xid = xid
  }
}

/** A connection's server process. */
export class Session {
  transaction: Transaction | null = null
  dead = false
  /** Of its last statement's end. */
  idleSince = 0
  idleTimeoutMs = Number.POSITIVE_INFINITY
  /** Name of the process at the other end. */
  readonly owner: string

  constructor(owner: string) {
    this.owner = owner
  }
}

export class MemoryPostgres {
  readonly rules: Rules
  readonly #clock: () => number
  readonly authors = new Map<string, Author>()
  readonly articles = new Map<string, Article>()
  readonly marks = new Map<number, MarkRow>()
  readonly failures = new Map<string, FailureRow>()
  readonly targets = new Map<string, BatchTarget & { readonly document: string }>()
  readonly documents = new Map<string, DocumentRow>()
  /** Verifies that were requested, with the reasons. */
  readonly rewrites = new Map<number, string>()
  readonly #open = new Set<Transaction>()
  readonly #sessions = new Set<Session>()
  #log: (() => void)[] = []
  #flushed = 0
  #lastMark = 0
  #lastXid = 700
  #last = 0n
  /** Up to where the log says that numbers may have been drawn. */
  #logged = 0n
  #starts = 1
  down = false

  constructor(clock: () => number, rules: Rules = RULES) {
    this.#clock = clock
    this.rules = rules
  }

  /** As `serverSql` says. */
  get server(): string {
    return `00000001@${this.#starts}`
  }

  get clock(): number {
    return this.#clock()
  }

  get lastVersion(): bigint {
    return this.#last
  }

  get openTransactions(): number {
    return this.#open.size
  }

  connect(owner: string): Session {
    this.#assertUp()
    const session = new Session(owner)
    session.idleSince = this.clock
    this.#sessions.add(session)
    return session
  }

  /** The session's process ends, and with it its transaction. */
  end(session: Session): void {
    if (session.transaction !== null) this.rollback(session)
    session.dead = true
    this.#sessions.delete(session)
  }

  get sessions(): readonly Session[] {
    return [...this.#sessions]
  }

  /** Runs one statement of a session. */
  statement<T>(session: Session, run: () => T): T {
    this.cutIdle()
    if (session.dead) throw new Error('Connection terminated unexpectedly')
    this.#assertUp()
    session.idleSince = this.clock
    return run()
  }

  /** idle_in_transaction_session_timeout. */
  cutIdle(): void {
    for (const session of this.#sessions) {
      if (session.transaction !== null && this.clock - session.idleSince > session.idleTimeoutMs) {
        this.end(session)
      }
    }
  }

  begin(session: Session): Transaction {
    if (session.transaction !== null) throw new Error('there is a transaction already')
    const transaction = new Transaction(String(++this.#lastXid))
    this.#open.add(transaction)
    session.transaction = transaction
    return transaction
  }

  commit(session: Session, durable: 'flushed' | 'lazy'): void {
    const { transaction } = session
    if (transaction !== null) {
      const undo = transaction.changes.map((change) => change())
      this.#write(() => {
        for (const back of undo.reverse()) back()
      })
    }
    if (durable === 'flushed') this.flush()
    this.#close(session)
  }

  rollback(session: Session): void {
    this.#close(session)
  }

  /** A statement of its own, or the next one of the session's transaction. */
  change(session: Session, change: Change, durable: 'flushed' | 'lazy' = 'lazy'): void {
    if (session.transaction !== null) {
      session.transaction.changes.push(change)
      return
    }
    this.#write(change())
    if (durable === 'flushed') this.flush()
  }

  /** Whether a mark is free for this transaction to take. */
  isFree(mark: MarkRow): boolean {
    for (const { markLocks } of this.#open) if (markLocks.has(mark.id)) return false
    return true
  }

  isRowFree(row: string, forTransaction: Transaction): boolean {
    for (const other of this.#open) if (other !== forTransaction && other.rowLocks.has(row)) return false
    return true
  }

  isFailureLockFree(mode: 'exclusive' | 'shared', session: Session): boolean {
    for (const { failureLock, ...other } of this.#open) {
      if (failureLock === null || other.xid === session.transaction?.xid) continue
      if (mode === 'exclusive' || failureLock === 'exclusive') return false
    }
    return true
  }

  /** The last id that a mark was given, as the sequence has it: whatever became of its transaction. */
  get lastMarkId(): number {
    return this.#lastMark
  }

  /** Marks of a lane in the order of its index. */
  marksOf(document: string, lane: Lane): readonly MarkRow[] {
    return [...this.marks.values()]
      .filter((mark) => mark.document === document && mark.lane === lane)
      .sort((a, b) => a.id - b.id)
  }

  insertMark(mark: Omit<MarkRow, 'id'>): Change {
    // The identity's number is drawn by the statement, whatever becomes of its transaction.
    const id = ++this.#lastMark
    return put(this.marks, id, { ...mark, id })
  }

  nextVersion(): bigint {
    this.#last += 1n
    if (this.#last > this.#logged) {
      const before = this.#logged
      this.#logged = this.#last + SEQUENCE_AHEAD
      this.#write(() => {
        this.#logged = before
      })
    }
    if (this.rules.drawIsFlushed) this.flush()
    return this.#last
  }

  raiseVersionFloor(atLeast: bigint): void {
    const clock = BigInt(Math.trunc(this.clock * 1000))
    const wanted = clock > atLeast ? clock : atLeast
    if (wanted > this.#last) {
      const before = this.#logged
      this.#last = wanted
      this.#logged = wanted
      this.#write(() => {
        this.#logged = before
      })
    }
    this.flush()
  }

  flush(): void {
    this.#flushed = this.#log.length
  }

  /** Of what was not flushed, the log's end is gone: a part of it, as `kept` (in [0, 1)) says. All transactions under way, too. */
  crash(kept: number): void {
    const survives = this.#flushed + Math.floor(kept * (this.#log.length - this.#flushed + 1))
    while (this.#log.length > survives) this.#log.pop()?.()
    this.#log = []
    this.#flushed = 0
    for (const session of [...this.#sessions]) this.end(session)
    this.#last = this.#logged
    this.#starts += 1
    this.down = true
  }

  #write(undo: () => void): void {
    this.#log.push(undo)
  }

  #close(session: Session): void {
    if (session.transaction !== null) this.#open.delete(session.transaction)
    session.transaction = null
    session.idleTimeoutMs = Number.POSITIVE_INFINITY
  }

  #assertUp(): void {
    if (this.down) throw serverError('57P03', 'the database system is starting up')
  }
}

/** An error as pg makes it of a server's. */
export function serverError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
