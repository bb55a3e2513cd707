import { memory } from './process-figures.ts'
import { assertIndexed, emptied, firstClaim, writeMarks } from './queue.ts'
import { quiet } from './quiet.ts'
import type { Subject } from './subject.ts'
import { costMeter, type World } from './world.ts'

export interface Drained {
  readonly documentsPerSecond: number
  /** Resident megabytes of the daemon: at most since its start, and at the end. */
  readonly memory: ReturnType<typeof memory>
  /** Microseconds of processor time a document (costMeter). */
  readonly cost: Readonly<Record<string, number>>
  /** Those of daemon and Postgres, all that is not Elasticsearch's; null on servers that are not ours. */
  readonly ours: number | null
}

/**
 * Marks for `rows` keys, written before a daemon starts, into an empty index: from its first claim to the empty queue, its own
 * warming up included.
 */
export async function drainOnce(
  world: World,
  { document, definition }: Pick<Subject, 'document' | 'definition'>,
  rows: number,
  keysPerMark: number,
): Promise<Drained> {
  await world.reinstall(document)
  await writeMarks(world, { document, lane: 1, count: rows, keysPerMark })
  await world.checkpoint()
  await quiet(world)
  const claimed = firstClaim(world)
  const [daemon, began] = await Promise.all([world.startDaemon(), claimed])
  const costOf = costMeter(world, daemon)
  const ended = await emptied(world)
  const cost = costOf(rows)
  const resident = memory(daemon.pid)
  await daemon.stop()
  await assertIndexed(world, definition.index, rows)
  const { cpu_us_daemon = 0, cpu_us_postgres } = cost
  return {
    documentsPerSecond: (rows * 1000) / (ended - began),
    memory: resident,
    cost,
    ours: cpu_us_postgres === undefined ? null : cpu_us_daemon + cpu_us_postgres,
  }
}
