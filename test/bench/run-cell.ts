import { closing } from '../support/program.ts'
import type { Cell, CellOptions, Measurement, Note } from './cell.ts'
import { describeSetting } from './machine.ts'
import { type Summary, summarise } from './summary.ts'
import { openWorld, type Where } from './world.ts'

interface Told {
  /** Of each number, as soon as it is there. */
  readonly onMeasurement: (measurement: Measurement) => void
  readonly note: Note
}

/** Measures a cell in a world that is gone afterwards, whatever ends it. */
export async function runCell(
  cell: Cell,
  options: CellOptions,
  { onMeasurement, note }: Told,
  where: Where = {},
): Promise<Summary> {
  const own = closing.use(new AsyncDisposableStack())
  const world = await openWorld(cell.world, where)
  own.defer(() => world.close())
  try {
    const setting = await describeSetting(world)
    const measurements: Measurement[] = []
    for await (const measurement of cell.measure(world, options, note)) {
      measurements.push(measurement)
      onMeasurement(measurement)
    }
    const { rounds, rows } = options
    return { cell: cell.name, summary: summarise(cell, measurements), rounds, rows, ...setting }
  } finally {
    await own.disposeAsync()
  }
}
