import type pg from 'pg'
import type { Logger } from 'pino'
import { clearAlarm, setAlarm } from '../queue/set-alarm.ts'
import type { Dispatcher } from './dispatcher.ts'
import { alarmOf } from './obstacle.ts'
import type { Obstacle } from './types.ts'

interface PausesOptions {
  readonly dispatcher: Dispatcher
  readonly pool: pg.Pool
  readonly schema: string
  readonly log: Logger
  /** Something is to be seen in `sync_worker` now. */
  readonly tellState: () => void
  readonly onError: (error: unknown) => void
}

/** Documents that wait after an obstacle of their own: what people are told when such a pause begins, and when it ends. */
export class DocumentPauses {
  readonly #options: PausesOptions

  constructor(options: PausesOptions) {
    this.#options = options
  }

  /** `moving`: some of its batch was done all the same. */
  begin(document: string, obstacle: Obstacle, { moving = false } = {}): void {
    const { dispatcher, log, pool, schema, tellState } = this.#options
    const { type, reason } = obstacle
    const known = dispatcher.pauses.find((pause) => pause.document === document)
    const { attempt } = dispatcher.pause(document, obstacle, { moving })
    const alarm = alarmOf(obstacle)
    // Once a second for as long as it lasts would be too much.
    const level = attempt === known?.attempt ? 'debug' : 'warn'
    log[alarm === null ? level : 'error'](
      { document, type, reason, attempt },
      'document paused, its marks are given back',
    )
    if (attempt === 1) tellState()
    if (alarm !== null) this.#tell(setAlarm(pool, schema, document, alarm))
  }

  /** A batch of the document was settled. */
  end(document: string): void {
    this.#ended(this.#options.dispatcher.recovered(document))
  }

  /** The poll has looked. A document that has an alarm waits on: that nobody has changed it since puts nothing right. */
  looked(): void {
    const { dispatcher } = this.#options
    for (const pause of dispatcher.pauses) {
      if (alarmOf({ scope: 'document', ...pause }) === null) this.#ended(dispatcher.rested(pause.document))
    }
  }

  #ended(pause: ReturnType<Dispatcher['recovered']>): void {
    if (pause === undefined) return
    const { log, pool, schema, tellState } = this.#options
    const { document } = pause
    log.info({ document }, 'goes on')
    tellState()
    const alarm = alarmOf({ scope: 'document', ...pause })
    if (alarm !== null) this.#tell(clearAlarm(pool, schema, document, alarm))
  }

  #tell(told: Promise<unknown>): void {
    told.catch(this.#options.onError)
  }
}
