import { escapeIdentifier } from 'pg'
import type { RunWork } from './context.ts'
import { assertOurs, RunInterrupted } from './interrupted.ts'
import { readStanding } from './standing.ts'
import type { Run } from './types.ts'

/** Between two writes: the bar looks twice a second. */
const EVERY_MS = 500

/** Shows how far a comparison is: it adds rows and documents to what the run has processed, and to what it comes to. */
export class CompareProgress {
  readonly #work: Pick<RunWork, 'pool' | 'schema'>
  readonly #run: Run
  #looked = 0
  #writtenAt = performance.now()

  constructor(work: Pick<RunWork, 'pool' | 'schema'>, run: Run) {
    this.#work = work
    this.#run = run
  }

  /** `expected`: rows and documents that are to come. */
  begin(expected: number): Promise<void> {
    return this.#write('total = processed + $3::bigint', expected)
  }

  async add(looked: number): Promise<void> {
    this.#looked += looked
    if (performance.now() - this.#writtenAt < EVERY_MS) return
    this.#writtenAt = performance.now()
    const some = this.#looked
    this.#looked = 0
    await this.#write('processed = processed + $3::bigint', some)
  }

  end(): Promise<void> {
    return this.#write('processed = processed + $3::bigint, total = processed + $3::bigint', this.#looked)
  }

  async #write(set: string, value: number): Promise<void> {
    const { pool, schema } = this.#work
    const { id, worker } = this.#run
    const { rowCount } = await pool.query(
      `UPDATE ${escapeIdentifier(schema)}.sync_run SET ${set} WHERE id = $1 AND worker = $2 AND state = 'running'`,
      [id, worker, Math.round(value)],
    )
    if (rowCount === 1) return
    assertOurs(this.#run, await readStanding(pool, schema, id))
    throw new RunInterrupted('lost')
  }
}
