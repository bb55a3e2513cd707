import pg from 'pg'
import { type Cell, usual } from './cell.ts'
import { edit } from './edits.ts'
import { assertIndexed, insertMarks } from './queue.ts'
import { quiet } from './quiet.ts'
import { flat } from './subject.ts'
import { type World, warmUp } from './world.ts'

const { document, definition } = flat

/** Single-row changes a second beside the drains. */
const CHANGES = 50

/** Of the run before the first that counts. */
const WARM_SECONDS = 20

/** The end of a run: what is drained in its last quarter. */
const END = 0.75

/**
 * A report, a dump or a forgotten session holds a snapshot, and no vacuum removes what has died since: each mark that was
 * claimed stays in the queue's table and index as a dead one. Marks of one key each, --rows at a time and again as soon as
 * they are gone, beside single-row changes; for --seconds without such a session, and for as long with one. What counts is
 * the end, when most is dead.
 */
export const heldSnapshot: Cell = {
  name: 'held-snapshot',
  about: `Marks of --rows keys, drained again and again beside --rate changes a second (default ${CHANGES}) for --seconds: with an old snapshot held, against without.`,
  defaults: { ...usual, seconds: 180 },
  figures: { 'held to clean': { of: 'value', atLeast: 0.8 } },
  world: { documents: { [document]: definition } },
  async *measure(world, { rounds, rows, rate, seconds }, note) {
    await flat.fill(world, rows)
    await world.sluice('install', '--no-backfill')
    await warmUp(world, { view: `sluice.document_${document}`, alias: definition.index, note })
    const load = { rows, seconds, rate: rate ?? CHANGES }
    // What warms up sends documents that are new; these runs replace documents, which Elasticsearch has to learn, too.
    note('a run that does not count')
    await run(world, false, { ...load, seconds: Math.min(seconds, WARM_SECONDS) })
    for (let round = 1; round <= rounds; round++) {
      const values = { clean: 0, held: 0 }
      for (const kind of round % 2 === 1 ? (['clean', 'held'] as const) : (['held', 'clean'] as const)) {
        note(`round ${round}: ${kind}, ${seconds} s`)
        const { value, details } = await run(world, kind === 'held', load)
        values[kind] = value
        yield { round, case: kind, value, unit: 'documents/s', details }
      }
      yield { round, case: 'held to clean', value: values.held / values.clean, unit: '×' }
    }
  },
}

interface Load {
  readonly rows: number
  readonly seconds: number
  /** Changes a second. */
  readonly rate: number
}

async function run(world: World, held: boolean, { rows, seconds, rate }: Load) {
  await tidy(world)
  const daemon = await world.startDaemon()
  await quiet(world)
  const snapshot = held ? await holdSnapshot(world.postgresUrl) : null
  try {
    const began = performance.now()
    const url = world.postgresUrl
    const changing = edit({ url, arrivals: null, first: 1, rows, rate, seconds })
    const drains = await drainFor(world, rows, began + seconds * 1000)
    const { count: changes } = await changing
    const bloat = await bloatOf(world)
    if ((await snapshot?.isOld()) === false) throw new Error('the snapshot was not held')
    await assertIndexed(world, definition.index, rows)
    const perSecond = (some: readonly Drain[]) =>
      (some.length * rows * 1000) / some.reduce((sum, drain) => sum + drain.ended - drain.began, 0)
    const last = drains.filter(({ ended }) => ended >= began + END * seconds * 1000)
    const details = {
      first: Math.round(perSecond(drains.slice(0, 1))),
      drains: drains.length,
      at_the_end: last.length,
      changes,
      ...bloat,
    }
    return { value: perSecond(last), details }
  } finally {
    await snapshot?.release()
    await daemon.stop()
  }
}

/** Milliseconds of this process. */
interface Drain {
  readonly began: number
  readonly ended: number
}

/** One after the other until `end`; the one that is under way then is finished. At least one. */
async function drainFor(world: World, rows: number, end: number): Promise<readonly Drain[]> {
  const drains: Drain[] = []
  do {
    const last = await lastMark(world)
    await insertMarks(world, { document, lane: 1, count: rows, keysPerMark: 1 })
    const began = performance.now()
    drains.push({ began, ended: await bulkEmptied(world, last) })
  } while (performance.now() < end)
  return drains
}

/** Marks from here on are those of the next drain. */
async function lastMark({ pool }: World): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT coalesce(last_value, 0)::text AS id FROM pg_sequences
      WHERE schemaname = 'sluice' AND sequencename = 'sync_queue_id_seq'`,
  )
  if (rows[0] === undefined) throw new Error('the queue has no sequence of this name')
  return rows[0].id
}

/**
 * Resolves when the bulk lane has no mark behind this one: asked for without it, Postgres would walk over the dead ones of all
 * drains before, and what looks would be what is measured.
 */
async function bulkEmptied({ pool }: World, behind: string): Promise<number> {
  const deadline = performance.now() + 600_000
  for (;;) {
    const { rows } = await pool.query({
      name: 'bulk left',
      text: 'SELECT FROM sluice.sync_queue WHERE document = $1 AND lane = 1 AND id > $2 ORDER BY id LIMIT 1',
      values: [document, behind],
    })
    if (rows.length === 0) return performance.now()
    if (performance.now() > deadline) throw new Error('a drain was not over after ten minutes')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Nothing dead of the run before, and an empty index. */
async function tidy(world: World): Promise<void> {
  await world.reinstall(document)
  await world.pool.query('VACUUM (FULL, ANALYZE) sluice.sync_queue')
  await world.pool.query('VACUUM (FULL, ANALYZE) article')
  await world.checkpoint()
}

async function bloatOf({ pool }: World) {
  const { rows } = await pool.query<{ dead: number; megabytes: number; waiting: number }>(
    `SELECT s.n_dead_tup::float8 AS dead, pg_total_relation_size(s.relid)::float8 / 1e6 AS megabytes,
            (SELECT count(*)::float8 FROM sluice.sync_queue) AS waiting
       FROM pg_stat_user_tables s WHERE s.relid = 'sluice.sync_queue'::regclass`,
  )
  const { dead = 0, megabytes = 0, waiting = 0 } = rows[0] ?? {}
  return { dead_marks: dead, queue_mb: Math.round(megabytes), marks_waiting: waiting }
}

/** A session that reads, and then leaves its transaction open. */
async function holdSnapshot(url: string) {
  const client = new pg.Client({ connectionString: url, application_name: 'bench snapshot' })
  client.on('error', () => {})
  await client.connect()
  const look = async () => {
    const { rows } = await client.query<{ sum: string }>('SELECT sum(stock)::text AS sum FROM article')
    return rows[0]?.sum
  }
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  const first = await look()
  return {
    /** Whether it still sees what it saw at first, after changes. */
    isOld: async () => (await look()) === first,
    release: () => client.end(),
  }
}
