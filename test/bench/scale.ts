import { type Cell, type Measurement, usual } from './cell.ts'
import { assertIndexed, emptied, insertMarks, writeMarks } from './queue.ts'
import { quiet } from './quiet.ts'
import { flat } from './subject.ts'
import { costMeter, measureCeiling, type World, warmUp } from './world.ts'

const { document, definition } = flat

/** Daemons at once; the first is what the others are compared with. */
const COUNTS = [1, 2, 4] as const

const KEYS_PER_MARK = 500

/** On the same table, for daemons to warm up with: a second document leaves the index of the first empty. */
const warmDocument = 'warming'

const daemons = (count: number) => (count === 1 ? '1 daemon' : `${count} daemons`)
const toOne = (count: number) => `${daemons(count)} to 1`

/**
 * The same marks, worked off by one daemon, by two and by four on the same servers. All of them are warm and wait for work when
 * the marks appear; from that commit to the empty queue. Where servers and daemons share two cores more daemons cannot be
 * faster: what is asked is that they do not stand in each other's way.
 */
export const scale: Cell = {
  name: 'scale',
  about: `${COUNTS.join(', ')} daemons drain marks of --rows keys, ${KEYS_PER_MARK} each: commit to empty queue, and the ratio to one daemon.`,
  defaults: { ...usual, rows: 200_000 },
  figures: { [toOne(4)]: { of: 'value', atLeast: 0.95 } },
  world: { documents: { [document]: definition, [warmDocument]: { ...definition, index: 'bench-warming' } } },
  async *measure(world, { rounds, rows }, note) {
    await flat.fill(world, rows)
    await world.sluice('install', '--no-backfill')
    const alias = definition.index
    const documents = await warmUp(world, { view: `sluice.document_${document}`, alias, note })
    for (let round = 1; round <= rounds; round++) {
      const ceiling = await measureCeiling(world, alias, documents)
      // The order alternates, so that what drifts hits all alike.
      const order = round % 2 === 1 ? COUNTS : COUNTS.toReversed()
      const measured = new Map<number, Measurement>()
      for (const count of order) {
        note(`round ${round}: ${daemons(count)}`)
        const { value, details } = await drainBy(world, count, rows)
        const ratio = value / ceiling
        measured.set(count, {
          round,
          case: daemons(count),
          value,
          unit: 'documents/s',
          ceiling,
          ratio,
          details,
        })
      }
      for (const count of COUNTS) {
        const those = measured.get(count)
        const one = measured.get(1)
        if (those === undefined || one === undefined) continue
        yield those
        if (count > 1) yield { round, case: toOne(count), value: those.value / one.value, unit: '×' }
      }
    }
  },
}

async function drainBy(world: World, count: number, rows: number) {
  await world.reinstall(document)
  const running = await Promise.all(Array.from({ length: count }, () => world.startDaemon()))
  const marks = { lane: 1, count: rows, keysPerMark: KEYS_PER_MARK } as const
  await writeMarks(world, { document: warmDocument, ...marks })
  await emptied(world)
  await world.checkpoint()
  await quiet(world)
  const since = await databaseTime(world)
  const cost = costMeter(world, ...running)
  await insertMarks(world, { document, ...marks })
  const began = performance.now()
  const ended = await emptied(world)
  const costs = cost(rows)
  await Promise.all(running.map((daemon) => daemon.stop()))
  await assertIndexed(world, definition.index, rows)
  const details = { ...costs, documents_by_daemon: await shares(world, since) }
  return { value: (rows * 1000) / (ended - began), details }
}

async function databaseTime({ pool }: World): Promise<string> {
  const { rows } = await pool.query<{ now: string }>('SELECT clock_timestamp()::text AS now')
  return rows[0]?.now ?? ''
}

/** How the work was shared, as `51200 + 48800`: what each daemon has written to the log by its end. */
async function shares({ pool }: World, since: string): Promise<string> {
  const { rows } = await pool.query<{ count: string }>(
    `SELECT sum(count)::text AS count FROM sluice.sync_log
      WHERE document = $1 AND at >= $2::timestamptz GROUP BY worker ORDER BY sum(count) DESC`,
    [document, since],
  )
  return rows.map(({ count }) => count).join(' + ')
}
