import { type Cell, usual } from './cell.ts'
import { assertIndexed } from './queue.ts'
import { quiet } from './quiet.ts'
import { runEnded } from './run-ended.ts'
import { flat, nested, type Subject } from './subject.ts'
import { costMeter, measureCeiling, type World, warmUp } from './world.ts'

/** `sluice backfill` into an empty index, one daemon: from the run's start to its end, as `sync_run` has them. */
export const backfill = cellOf('backfill', flat, {
  about:
    'sluice backfill of --rows rows into an empty index with one daemon, beside the raw ceiling of the same round.',
  atLeast: 0.75,
})

export const nestedBackfill = cellOf('nested-backfill', nested, {
  about: 'The same of documents made of three tables: a root, its parent, three children.',
  atLeast: 0.6,
})

function cellOf(
  name: string,
  subject: Subject,
  { about, atLeast }: { readonly about: string; readonly atLeast: number },
): Cell {
  const { document, definition } = subject
  return {
    name,
    about,
    defaults: usual,
    figures: { backfill: { of: 'ratio', atLeast } },
    world: { documents: { [document]: definition } },
    async *measure(world, { rounds, rows }, note) {
      await subject.fill(world, rows)
      await world.sluice('install', '--no-backfill')
      const alias = definition.index
      const documents = await warmUp(world, { view: `sluice.document_${document}`, alias, note })
      const daemon = await world.startDaemon()
      const warm = await backfillOnce(world, subject, rows)
      note(`warm-up: backfill, ${Math.round(warm)} a second`)
      for (let round = 1; round <= rounds; round++) {
        const rawFirst = round % 2 === 1
        const before = rawFirst ? await measureCeiling(world, alias, documents) : null
        await world.reinstall(document)
        await quiet(world)
        const cost = costMeter(world, daemon)
        const value = await backfillOnce(world, subject, rows)
        const details = cost(rows)
        await assertIndexed(world, alias, rows)
        const raw = before ?? (await measureCeiling(world, alias, documents))
        yield {
          round,
          case: 'backfill',
          value,
          unit: 'documents/s',
          ceiling: raw,
          ratio: value / raw,
          details,
        }
      }
      await daemon.stop()
    },
  }
}

/** Documents a second. What it has indexed is for the caller to look at: that refreshes, which is no part of the run. */
async function backfillOnce(world: World, { document }: Subject, rows: number): Promise<number> {
  await world.sluice('backfill', document, '--no-wait')
  const { processed, seconds } = await runEnded(world, { kind: 'backfill' })
  if (processed < rows) throw new Error(`the backfill ended after ${processed} rows of ${rows}`)
  return processed / seconds
}
