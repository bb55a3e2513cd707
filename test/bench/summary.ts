import Table from 'cli-table3'
import type { Cell, Figure, Measurement } from './cell.ts'
import type { Setting } from './machine.ts'
import { rounded, type Spread, spread } from './statistics.ts'

/** What is printed: a JSON line for each round and case, and a last one with medians and spread; or a table, for people. */

interface CaseSummary {
  readonly case: string
  readonly unit: string
  readonly value: Spread
  readonly ceiling?: Spread
  readonly ratio?: Spread
  /** The figure it was to reach, as text, and whether the median does. */
  readonly asked?: string
  /** The figure itself. */
  readonly figure?: Figure
  readonly met?: boolean
}

export interface Summary extends Setting {
  readonly cell: string
  readonly summary: readonly CaseSummary[]
  readonly rounds: number
  readonly rows: number
}

export function roundLine(cell: Cell, { ceiling, ratio, value, details, ...rest }: Measurement): string {
  return JSON.stringify({
    cell: cell.name,
    round: rest.round,
    case: rest.case,
    value: rounded(value),
    unit: rest.unit,
    ...(ceiling === undefined ? {} : { ceiling: rounded(ceiling) }),
    ...(ratio === undefined ? {} : { ratio: rounded(ratio) }),
    ...details,
  })
}

/** Medians and spread by case, in the order in which the cases came. */
export function summarise(cell: Cell, measurements: readonly Measurement[]): readonly CaseSummary[] {
  return [...Map.groupBy(measurements, (measurement) => measurement.case)].map(([name, group]) => {
    const of = (numbers: readonly (number | undefined)[]) => numbers.filter((number) => number !== undefined)
    const ceilings = of(group.map(({ ceiling }) => ceiling))
    const ratios = of(group.map(({ ratio }) => ratio))
    const summary = {
      case: name,
      unit: group[0]?.unit ?? '',
      value: roundedSpread(group.map(({ value }) => value)),
      ...(ceilings.length === 0 ? {} : { ceiling: roundedSpread(ceilings) }),
      ...(ratios.length === 0 ? {} : { ratio: roundedSpread(ratios) }),
    }
    const figure = cell.figures[name]
    return figure === undefined
      ? summary
      : { ...summary, asked: asked(figure), figure, met: isMet(figure, summary) }
  })
}

function roundedSpread(values: readonly number[]): Spread {
  const { median, min, max } = spread(values)
  return { median: rounded(median), min: rounded(min), max: rounded(max) }
}

function asked({ of, atLeast, atMost }: Figure): string {
  const what = of === 'ratio' ? ' of the ceiling' : ''
  return atLeast === undefined ? `≤ ${atMost}${what}` : `≥ ${atLeast}${what}`
}

function isMet(
  { of, atLeast, atMost }: Figure,
  { value, ratio }: { value: Spread; ratio?: Spread },
): boolean {
  const { median } = of === 'ratio' ? (ratio ?? value) : value
  return median >= (atLeast ?? median) && median <= (atMost ?? median)
}

/** The summary as a table. */
export function summaryText({ cell, summary, rounds, rows, versions, machine }: Summary): string {
  const table = new Table({
    head: ['case', 'unit', 'median', 'min – max', 'ceiling', 'ratio', 'asked', ''],
    style: { head: [], border: [] },
  })
  for (const { case: name, unit, value, ceiling, ratio, asked: figure, met } of summary) {
    table.push([
      name,
      unit,
      value.median,
      `${value.min} – ${value.max}`,
      ceiling?.median ?? '',
      ratio === undefined ? '' : `${ratio.median} (${ratio.min} – ${ratio.max})`,
      figure ?? '',
      met === undefined ? '' : met ? 'met' : 'not met',
    ])
  }
  const setting = Object.entries({ ...versions, ...machine }).map(([name, value]) => `${name} ${value}`)
  return `${cell}, ${rounds} rounds, ${rows} rows\n${table.toString()}\n${setting.join(', ')}\n`
}
