import type { DocumentKey } from '../../src/documents/types.ts'
import type { Claim, Lane, Settlement } from '../../src/queue/types.ts'
import type {
  BatchStore,
  ClaimSession,
  LoadPlan,
  LoadRow,
  MarksToVerify,
  RootRow,
  RootsToMark,
  WorkSession,
} from '../../src/sync/batch-store.ts'
import { olderOrigin } from '../../src/sync/fold-marks.ts'
import type { ParkedQueue } from '../../src/sync/parked-keys.ts'
import { eraseFailures, recordFailures, requeueDueFailures } from './memory-failures.ts'
import {
  type MarkRow,
  type MemoryPostgres,
  put,
  remove,
  type Session,
  serverError,
} from './memory-postgres.ts'
import type { Actor, Stepper } from './scheduler.ts'

/**
 * The store of a batch over a database in memory, and what a daemon asks beside its batches. Each statement is a step, so
 * that anything may happen before it. A contract test holds it to what `postgresStore` does
 * (test/integration/simulation-contract.test.ts).
 */

export interface StoreOptions {
  readonly postgres: MemoryPostgres
  readonly stepper: Stepper
  readonly who: Actor
  /** What the network does to a statement: it breaks before the server has it, or before the answer is there. */
  readonly breaks?: () => 'before' | 'after' | null
}

/** What a daemon asks of the queue beside its batches. */
export interface MemoryQueue extends ParkedQueue {
  pendingLanes(): Promise<readonly { readonly document: string; readonly lane: 0 | 1 }[]>
  requeueDueFailures(): Promise<number>
  /** Joins the server: its identity. */
  join(raise: boolean): Promise<string>
}

/** The plan's query for documents; any other is for the rows of the root table (the brake's). */
export const LOAD_SQL = 'documents'

export function memoryStore(options: StoreOptions): BatchStore {
  return {
    openClaim: async () => claimSession(await Connection.open(options)),
    openWork: async () => workSession(await Connection.open(options)),
    raiseVersionFloor: async (atLeast) => {
      const connection = await Connection.open(options)
      await connection.run('raises the version floor', ({ postgres }) => postgres.raiseVersionFloor(atLeast))
      connection.release(false)
    },
  }
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
    pendingLanes: () =>
      run('polls', ({ postgres }) =>
        [...postgres.documents.keys()].flatMap((document) =>
          ([0, 1] as const)
            .filter((lane) => postgres.marksOf(document, lane).length > 0)
            .map((lane) => ({ document, lane })),
        ),
      ),
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

const sizeOf = ({ keys }: Pick<MarkRow, 'keys'>) => Math.max(1, keys?.length ?? 1)

const waitingFor = (postgres: MemoryPostgres, index: string): readonly MarkRow[] =>
  [...postgres.marks.values()]
    .filter((mark) => mark.lane === 2 && mark.target === index && postgres.isFree(mark))
    .sort((a, b) => a.id - b.id)

/** One of a daemon's connections. */
class Connection {
  readonly #options: StoreOptions
  readonly session: Session

  static open(options: StoreOptions): Promise<Connection> {
    return options.stepper.step(
      options.who,
      'connects to Postgres',
      () => new Connection(options, options.postgres.connect(options.who.name)),
    )
  }

  constructor(options: StoreOptions, session: Session) {
    this.#options = options
    this.session = session
  }

  get postgres(): MemoryPostgres {
    return this.#options.postgres
  }

  run<T>(
    what: string | (() => string),
    statement: (connection: this) => T,
    ready?: () => boolean,
  ): Promise<T> {
    const { stepper, who, postgres, breaks } = this.#options
    const { session } = this
    const orDead = ready === undefined ? {} : { ready: () => session.dead || postgres.down || ready() }
    return stepper.step(
      who,
      what,
      () => {
        const fault = breaks?.() ?? null
        if (fault === 'before') postgres.end(session)
        const result = postgres.statement(session, () => statement(this))
        if (fault === 'after') {
          postgres.end(session)
          throw new Error('Connection terminated unexpectedly')
        }
        return result
      },
      orDead,
    )
  }

  /** A connection that saw an error is closed, and the server notices. */
  release(broken: boolean): void {
    if (broken || this.session.transaction === null) this.postgres.end(this.session)
  }
}

function claimSession(connection: Connection): ClaimSession {
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
    claimMarks: ({ document, lane, target, maxKeys, idleTimeoutMs }) =>
      connection.run(`claims marks of lane ${lane}${target === undefined ? '' : ` for ${target}`}`, () => {
        const taken =
          target === undefined
            ? takeUpTo(postgres, { document, lane, maxKeys })
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

function takeUpTo(
  postgres: MemoryPostgres,
  { document, lane, maxKeys }: { readonly document: string; readonly lane: Lane; readonly maxKeys: number },
): readonly MarkRow[] {
  const taken: MarkRow[] = []
  let keys = 0
  for (const mark of postgres.marksOf(document, lane)) {
    if (!postgres.isFree(mark)) continue
    if (taken.length > 0 && keys + sizeOf(mark) > maxKeys) break
    taken.push(mark)
    keys += sizeOf(mark)
  }
  return taken
}

function take(postgres: MemoryPostgres, session: Session, mark: MarkRow): void {
  session.transaction?.markLocks.add(mark.id)
  postgres.change(session, remove(postgres.marks, mark.id))
}

function requestRewrite(postgres: MemoryPostgres, session: Session, reason: string): void {
  postgres.change(session, () => put(postgres.rewrites, postgres.rewrites.size, reason)())
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

function freeOf(
  postgres: MemoryPostgres,
  document: string,
  lane: Lane,
  ids: readonly string[],
): readonly MarkRow[] {
  return postgres
    .marksOf(document, lane)
    .filter((mark) => ids.includes(String(mark.id)) && postgres.isFree(mark))
}

function markRoots(
  postgres: MemoryPostgres,
  session: Session,
  { document, lane, large }: RootsToMark,
): number {
  postgres.rollback(session)
  postgres.begin(session)
  let turned = 0
  for (const { marks, links } of large) {
    const ids = marks.map(({ id }) => id)
    const taken = freeOf(postgres, document, lane, ids)
    if (taken.length === 0) continue
    turned += taken.length
    for (const mark of taken) take(postgres, session, mark)
    const keys = [...new Set(links.flatMap(([author]) => articlesOf(postgres, author ?? null)))].sort()
    if (keys.length === 0) continue
    postgres.change(
      session,
      postgres.insertMark({
        document,
        lane: 1,
        source: '',
        keys,
        op: 'update',
        origin: taken.map(({ origin }) => origin).reduce(olderOrigin),
        target: marks[0]?.target ?? null,
        createdAt: Math.min(...taken.map(({ createdAt }) => createdAt)),
      }),
    )
  }
  postgres.commit(session, 'lazy')
  return turned
}

function verifyInstead(
  postgres: MemoryPostgres,
  session: Session,
  { document, lane, ids, reason }: MarksToVerify,
): number {
  postgres.begin(session)
  const taken = freeOf(postgres, document, lane, ids)
  for (const mark of taken) take(postgres, session, mark)
  if (taken.length > 0) requestRewrite(postgres, session, reason)
  postgres.commit(session, 'flushed')
  return taken.length
}

function workSession(connection: Connection): WorkSession {
  const { postgres } = connection
  return {
    drawVersion: () =>
      connection.run('draws a version', () => ({
        version: postgres.nextVersion(),
        server: postgres.server,
      })),
    raiseVersionFloor: (atLeast) =>
      connection.run('raises the version floor', () => postgres.raiseVersionFloor(atLeast)),
    currentVersion: () => connection.run('reads the last version', () => postgres.lastVersion),
    readWorkableTargets: ({ document, hash, tenants }) =>
      connection.run('reads the targets', () => {
        const row = postgres.documents.get(document)
        if (row?.state !== 'active' || row.hash !== hash) return null
        return tenants ? [] : targetsOf(postgres, document, () => true)
      }),
    readTargetsOf: (document, aliases) =>
      connection.run('reads the targets', () =>
        targetsOf(postgres, document, (alias) => aliases.includes(alias)),
      ),
    readBrake: (document) =>
      connection.run('reads the brake', () => ({
        deletes: postgres.documents.get(document)?.brakeDeletes ?? 0,
        documents: null,
        tripped: false,
      })),
    readRoots: (_, links, { ofEach, inAll }) =>
      connection.run(`expands authors ${links.flat().join(' ')}`, () => ({
        rows: links
          .flatMap(([author], n) =>
            articlesOf(postgres, author ?? null)
              .slice(0, ofEach)
              .map((key): RootRow => [String(n + 1), key]),
          )
          .slice(0, inAll),
        server: postgres.server,
      })),
    castLink: (_, [link]) =>
      connection.run('casts a link', () => {
        if (!/^\d+$/.test(link ?? '')) throw serverError('22P02', 'invalid input syntax for type bigint')
        return { server: postgres.server }
      }),
    readRows: (plan, keys) =>
      connection.run(
        () => `loads ${keys.map(({ key }) => key).join(' ')}`,
        () => ({
          rows: keys.flatMap((key, n) => rowOf(postgres, plan, key, n)),
          server: postgres.server,
        }),
      ),
    makeTenantIndices: () => Promise.reject(new Error('the simulation has no tenants')),
    release: (broken) => connection.release(broken),
  }
}

const RANK = { live: 2, kept: 1, building: 0 } as const

function targetsOf(postgres: MemoryPostgres, document: string, wanted: (alias: string) => boolean) {
  return [...postgres.targets.values()]
    .filter((target) => target.document === document && wanted(target.alias))
    .sort((a, b) => RANK[b.role] - RANK[a.role] || (a.index < b.index ? -1 : 1))
    .map(({ index, alias, uuid, role, releasedAt }) => ({ index, alias, uuid, role, releasedAt }))
}

const articlesOf = (postgres: MemoryPostgres, author: string | null): readonly string[] =>
  [...postgres.articles]
    .filter(([, article]) => author !== null && article.author === author)
    .map(([id]) => id)

function rowOf(
  postgres: MemoryPostgres,
  { loadSql }: LoadPlan,
  { key }: DocumentKey,
  n: number,
): readonly LoadRow[] {
  const json = loadSql === LOAD_SQL ? documentOf(postgres, key) : postgres.articles.has(key) ? '{}' : null
  return json === null ? [] : [[String(n + 1), key, json, null]]
}

/** The document that the rows make of a key, or null. */
export function documentOf(postgres: MemoryPostgres, key: string): string | null {
  const article = postgres.articles.get(key)
  if (article === undefined) return null
  const author = article.author === null ? undefined : postgres.authors.get(article.author)
  return JSON.stringify({ id: Number(key), title: article.title, author: author?.name ?? null })
}
