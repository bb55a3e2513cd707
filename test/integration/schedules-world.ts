import type pg from 'pg'
import { pino } from 'pino'
import type { ScheduleDefinition } from '../../src/config/types.ts'
import { readDocuments } from '../../src/queue/read-documents.ts'
import { schedulesPart } from '../../src/runs/install-schedules.ts'
import { Schedules } from '../../src/runs/schedules.ts'
import { addDocument, type RunsFixture, runsFixture, SCHEMA } from './runs-fixture.ts'

export type Definitions = Readonly<Record<string, ScheduleDefinition>>

export const hourly: ScheduleDefinition = { cron: '0 * * * *', run: 'backfill' }

/** Two documents, `city` and `line`, their schedules, and instances that fire one when a test has them look. */
export interface SchedulesWorld extends RunsFixture {
  /** Neither schedules nor runs, and no document paused. */
  clear(): Promise<void>
  install(definitions: Definitions): Promise<void>
  /** What `install` would do, and what it refuses. */
  planned(definitions: Definitions): Promise<Planned>
  instance(name: string, definitions: Definitions, pool?: pg.Pool): Started
  set(name: string, columns: string): Promise<unknown>
  makeDue(name: string, ago?: string): Promise<unknown>
  row(name: string): Promise<ScheduleRow | null>
}

interface Planned {
  readonly steps: readonly string[]
  readonly notes: readonly string[]
  readonly refused: readonly string[]
}

interface Started {
  readonly schedules: Schedules
  /** Fires what is due. */
  look(): Promise<number>
  /** What it has logged. */
  readonly said: Record<string, unknown>[]
}

interface ScheduleRow {
  readonly next_at: string
  readonly last_at: string
  readonly fired_by: string
  readonly last_runs: unknown
}

export async function schedulesWorld(): Promise<SchedulesWorld> {
  const db = await runsFixture()
  await db.pool.query(`
    CREATE TABLE city (id bigint PRIMARY KEY, name text, changed_at timestamptz);
    CREATE TABLE line (id bigint PRIMARY KEY, changed_at timestamptz);
    CREATE INDEX ON line (changed_at)`)
  await addDocument(db.pool, { document: 'city', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
  await addDocument(db.pool, { document: 'line', key: [{ name: 'id', type: 'pg_catalog.int8' }] })
  const part = (definitions: Definitions) =>
    schedulesPart(db.pool, SCHEMA, new Map(Object.entries(definitions)))
  const set: SchedulesWorld['set'] = (name, columns) =>
    db.pool.query(`UPDATE "${SCHEMA}".sync_schedule SET ${columns} WHERE name = $1`, [name])
  return {
    ...db,
    clear: async () => {
      await db.pool.query(`DELETE FROM "${SCHEMA}".sync_run; DELETE FROM "${SCHEMA}".sync_schedule`)
      await db.pool.query(`UPDATE "${SCHEMA}".sync_document SET state = 'active', reason = NULL`)
    },
    install: (definitions) => part(definitions).apply(),
    planned: async (definitions) => {
      const refused: string[] = []
      const client = await db.pool.connect()
      try {
        const plans = (await readDocuments(client, SCHEMA)).map(({ plan }) => plan)
        const onRefused = (_: string, error: unknown) => refused.push(String(error))
        const { steps, notes } = await part(definitions).plan(client, { migrate: false, plans, onRefused })
        return { steps: steps.map(({ action, what }) => `${action} ${what}`), notes, refused }
      } finally {
        client.release()
      }
    },
    instance: (name, definitions, pool = db.pool) => {
      const said: Record<string, unknown>[] = []
      const schedules = new Schedules({
        pool,
        schema: SCHEMA,
        instance: name,
        log: pino(
          { level: 'debug', base: null, timestamp: false },
          { write: (line) => said.push(JSON.parse(line)) },
        ),
        schedules: new Map(Object.entries(definitions)),
        ready: () => true,
      })
      return { schedules, look: () => schedules.look(), said }
    },
    set,
    makeDue: (name, ago = '1 second') => set(name, `next_at = clock_timestamp() - interval '${ago}'`),
    row: async (name) => {
      const { rows } = await db.pool.query<ScheduleRow>(
        `SELECT next_at::text, last_at::text, fired_by, last_runs,
                next_at > clock_timestamp() AND next_at <= clock_timestamp() + interval '1 hour' AS within_an_hour
           FROM "${SCHEMA}".sync_schedule WHERE name = $1`,
        [name],
      )
      return rows[0] ?? null
    },
  }
}
