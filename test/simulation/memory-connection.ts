import type { MemoryPostgres, Session } from './memory-postgres.ts'
import type { Actor, Stepper } from './scheduler.ts'

export interface StoreOptions {
  readonly postgres: MemoryPostgres
  readonly stepper: Stepper
  readonly who: Actor
  /** What the network does to a statement: it breaks before the server has it, or before the answer is there. */
  readonly breaks?: () => 'before' | 'after' | null
}

/** One of a daemon's connections. Each statement is a step, so that anything may happen before it. */
export class Connection {
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
