import { olderOrigin } from '../../src/sync/fold-marks.ts'
import { put, remove } from './memory-changes.ts'
import { BAD_TITLE, MUTE_TITLE } from './memory-elasticsearch.ts'
import type { MemoryPostgres, Session } from './memory-postgres.ts'
import type { MarkRow } from './memory-rows.ts'
import type { Random } from './random.ts'
import { actor, type Stepper } from './scheduler.ts'

/** The one document of the simulation: articles, with the name of their author. */
export const DOCUMENT = 'article'
export const HASH = 'hash'
/** The related table's source. */
export const AUTHOR = 'author'

export interface ApplicationOptions {
  readonly postgres: MemoryPostgres
  readonly stepper: Stepper
  readonly random: Random
  /** Rows there can be. */
  readonly articles: number
  /** In [0, 1): how many of its commits do not wait for the disk, and of its titles no index takes, or break a connection. */
  readonly lazy: number
  readonly bad: number
  readonly mute: number
}

const AUTHORS = 3

/**
 * The application: transactions of one to three changes that commit or roll back a while later, each change with its mark
 * as the triggers write it (invariant 1): old and new key of the column that leads to the document.
 */
export class Application {
  readonly #options: ApplicationOptions
  #transactions = 0
  /** Versions of texts, so that no two are alike. */
  #text = 0
  #under = 0

  constructor(options: ApplicationOptions) {
    this.#options = options
  }

  /** Nothing of it is under way. */
  get isDone(): boolean {
    return this.#under === 0
  }

  /** Something else that has to be over before all is quiet. */
  async meanwhile(something: () => Promise<void>): Promise<void> {
    this.#under += 1
    try {
      await something()
    } finally {
      this.#under -= 1
    }
  }

  /** One transaction; resolves when it is over, however it ended. */
  async transact(changes: (one: Statement) => readonly string[]): Promise<void> {
    const { postgres, stepper, random } = this.#options
    const who = actor(`application ${++this.#transactions}`)
    this.#under += 1
    try {
      const session = await stepper.step(who, 'begins', () => {
        const opened = postgres.connect(who.name)
        postgres.statement(opened, () => postgres.begin(opened))
        return opened
      })
      const statement = new Statement(this.#options, session, () => `t${++this.#text}`)
      const rows = changes(statement).toSorted()
      for (const row of rows) {
        const run = () => postgres.statement(session, () => statement.change(row))
        await stepper.step(who, () => `changes ${row}`, run, { ready: () => statement.isFree(row) })
      }
      const rolledBack = random.chance(0.15)
      const durable = random.chance(this.#options.lazy) ? 'lazy' : 'flushed'
      await stepper.step(who, rolledBack ? 'rolls back' : `commits (${durable})`, () =>
        postgres.statement(session, () => {
          if (rolledBack) postgres.rollback(session)
          else postgres.commit(session, durable)
          postgres.end(session)
        }),
      )
    } catch {
      // Its connection was lost, or Postgres is away: what it did is undone.
    } finally {
      this.#under -= 1
    }
  }

  /** Some change. */
  change(): Promise<void> {
    const { random, articles } = this.#options
    return this.transact(() =>
      Array.from({ length: random.int(1, 3) }, () =>
        random.chance(0.25) ? `author ${random.int(1, AUTHORS)}` : `article ${random.int(1, articles)}`,
      ),
    )
  }

  /** Gives each row whose request breaks the connection another title: whether it is at fault cannot be told without others. */
  async mend(): Promise<void> {
    const { postgres } = this.#options
    const mute = () => [...postgres.articles].filter(([, { title }]) => title.startsWith(MUTE_TITLE))
    while (mute().length > 0) {
      await this.transact((statement) => {
        statement.onlyGood = true
        return mute().map(([id]) => `article ${id}`)
      })
    }
  }
}

class Statement {
  readonly #options: ApplicationOptions
  readonly #session: Session
  readonly #newText: () => string
  onlyGood = false

  constructor(options: ApplicationOptions, session: Session, newText: () => string) {
    this.#options = options
    this.#session = session
    this.#newText = newText
  }

  /** Whether no other transaction holds the row; so does whoever finds its connection gone. */
  isFree(row: string): boolean {
    const { postgres } = this.#options
    const { transaction, dead } = this.#session
    return dead || transaction === null || postgres.isRowFree(row, transaction)
  }

  change(row: string): void {
    this.#session.transaction?.rowLocks.add(row)
    const [table, id = ''] = row.split(' ')
    if (table === 'author') this.#changeAuthor(id)
    else this.#changeArticle(id)
  }

  #changeAuthor(id: string): void {
    const { postgres, random } = this.#options
    const gone = postgres.authors.has(id) && random.chance(0.2)
    postgres.change(
      this.#session,
      gone ? remove(postgres.authors, id) : put(postgres.authors, id, { name: `author ${this.#newText()}` }),
    )
    this.#mark({ source: AUTHOR, keys: [id], op: gone ? 'delete' : 'update' })
  }

  #changeArticle(id: string): void {
    const { postgres, random, bad, mute } = this.#options
    const there = postgres.articles.has(id)
    if (there && !this.onlyGood && random.chance(0.25)) {
      postgres.change(this.#session, remove(postgres.articles, id))
      this.#mark({ source: '', keys: [id], op: 'delete' })
      return
    }
    const kind = this.onlyGood ? 1 : random.next()
    const prefix = kind < bad ? BAD_TITLE : kind < bad + mute ? MUTE_TITLE : 'good'
    const author = random.chance(0.2) ? null : String(random.int(1, AUTHORS))
    postgres.change(
      this.#session,
      put(postgres.articles, id, { title: `${prefix} ${this.#newText()}`, author }),
    )
    this.#mark({ source: '', keys: [id], op: there ? 'update' : 'insert' })
  }

  #mark(mark: Pick<MarkRow, 'source' | 'keys' | 'op'>): void {
    const { postgres, random } = this.#options
    const lane = random.chance(0.2) ? 1 : 0
    const origin = this.#session.transaction?.xid ?? '0'
    postgres.change(
      this.#session,
      postgres.insertMark({
        document: DOCUMENT,
        lane,
        target: null,
        origin,
        createdAt: postgres.clock,
        ...mark,
      }),
    )
  }
}

/**
 * A reindex as far as batches notice it: a new index becomes a target, durably, and then every row is marked for it, a few
 * at a time (src/runs/backfill.ts). What follows, the swap, is the reindex's own.
 */
export async function reindex(
  {
    postgres,
    stepper,
    application,
  }: Pick<ApplicationOptions, 'postgres' | 'stepper'> & { readonly application: Application },
  index: string,
): Promise<void> {
  await application.meanwhile(() => fill(postgres, stepper, index))
}

async function fill(postgres: MemoryPostgres, stepper: Stepper, index: string): Promise<void> {
  const who = actor('reindex')
  const again = async <T>(what: string, run: (session: Session) => T): Promise<T> => {
    for (;;) {
      try {
        return await stepper.step(who, what, () => {
          const session = postgres.connect(who.name)
          try {
            return postgres.statement(session, () => run(session))
          } finally {
            postgres.end(session)
          }
        })
      } catch {
        await stepper.sleep(who, 1_000)
      }
    }
  }
  await again('registers a new index', (session) =>
    postgres.change(
      session,
      put(postgres.targets, index, {
        document: DOCUMENT,
        index,
        alias: DOCUMENT,
        uuid: index,
        role: 'building',
        releasedAt: null,
      }),
      'flushed',
    ),
  )
  let after = ''
  for (;;) {
    const found = await again('marks rows for the new index', (session) => {
      const keys = [...postgres.articles.keys()]
        .filter((key) => key > after)
        .toSorted()
        .slice(0, 3)
      if (keys.length === 0) return []
      const mark = { document: DOCUMENT, lane: 1, source: '', keys, op: 'backfill', target: index } as const
      const origin = olderOrigin('1', '2')
      postgres.change(session, postgres.insertMark({ ...mark, origin, createdAt: postgres.clock }), 'flushed')
      return keys
    })
    if (found.length === 0) return
    after = found.at(-1) ?? after
  }
}
