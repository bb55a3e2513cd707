import { type Cell, type Figure, usual } from './cell.ts'
import { drainOnce } from './drain-once.ts'
import { flat, nested, type Subject } from './subject.ts'
import { measureCeiling, warmUp } from './world.ts'

const kinds = [
  ['array marks', 500],
  ['single-key marks', 1],
] as const

const OURS = 'processor time of daemon and Postgres, array marks'

/** Marks that wait when a daemon starts: from its first claim to the empty queue, its own warming up included. */
export const drain = cellOf('drain', flat, {
  about:
    'A daemon starts with marks of --rows keys waiting (500 keys a mark, and one): first claim to empty queue.',
  atLeast: 0.75,
  processorTime: 25,
})

export const nestedDrain = cellOf('nested-drain', nested, {
  about: 'The same of documents made of three tables: a root, its parent, three children.',
  atLeast: 0.6,
})

function cellOf(
  name: string,
  subject: Subject,
  {
    about,
    atLeast,
    processorTime,
  }: { readonly about: string; readonly atLeast: number; readonly processorTime?: number },
): Cell {
  const { document, definition } = subject
  const figure: Figure = { of: 'ratio', atLeast }
  return {
    name,
    about,
    defaults: usual,
    figures: {
      ...Object.fromEntries(kinds.map(([kind]) => [kind, figure])),
      ...(processorTime === undefined ? {} : { [OURS]: { of: 'value', atMost: processorTime } }),
    },
    world: { documents: { [document]: definition } },
    async *measure(world, { rounds, rows }, note) {
      await subject.fill(world, rows)
      await world.sluice('install', '--no-backfill')
      const alias = definition.index
      const documents = await warmUp(world, { view: `sluice.document_${document}`, alias, note })
      const warm = await drainOnce(world, subject, rows, 500)
      note(`warm-up: drain, ${Math.round(warm.documentsPerSecond)} a second`)
      for (let round = 1; round <= rounds; round++) {
        const raw = await measureCeiling(world, alias, documents)
        for (const [kind, keysPerMark] of kinds) {
          const { documentsPerSecond: value, cost, ours } = await drainOnce(world, subject, rows, keysPerMark)
          yield {
            round,
            case: kind,
            value,
            unit: 'documents/s',
            ceiling: raw,
            ratio: value / raw,
            details: cost,
          }
          if (kind !== kinds[0][0] || ours === null) continue
          yield { round, case: OURS, value: ours, unit: 'µs a document' }
        }
      }
    },
  }
}
