import type { MeasuredCell } from './report-file.ts'

/**
 * A plot of a cell as SVG, by hand: what makes charts in Node needs a document (@observablehq/plot), native code (canvas) or 50 MB
 * (echarts), and this is points on lines. A panel for each unit, a line for each case: dots are rounds, the thick mark is
 * their median, the red one what is asked. Pure.
 */

const WIDTH = 760
const LEFT = 300
const RIGHT = 20
const ROW = 22
const HEAD = 26
const AXIS = 34

interface Line {
  readonly label: string
  readonly values: readonly number[]
  readonly median: number
  readonly asked?: number | undefined
}

export function plot(title: string, cell: MeasuredCell): string {
  const panels = Map.groupBy(cell.summary.summary, ({ figure, unit, ratio }) =>
    figure?.of === 'ratio' && ratio !== undefined ? 'ratio to the ceiling' : unit,
  )
  let top = HEAD
  const parts = [...panels].map(([unit, cases]) => {
    const lines = cases.map(({ case: name, figure, value, ratio }): Line => {
      const byRatio = figure?.of === 'ratio' && ratio !== undefined
      const rounds = cell.rounds.filter((round) => round.case === name)
      return {
        label: name,
        values: rounds.flatMap((round) => (byRatio ? (round.ratio ?? []) : round.value)),
        median: byRatio ? ratio.median : value.median,
        asked: figure?.atMost ?? figure?.atLeast,
      }
    })
    const drawn = panel(unit, lines, top)
    top += HEAD + lines.length * ROW + AXIS
    return drawn
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" font-family="sans-serif" font-size="12" fill="#333" role="img" aria-labelledby="title">`,
    `<title id="title">${escaped(title)}: rounds, medians, and what is asked</title>`,
    `<rect width="${WIDTH}" height="${top}" fill="#fff"/>`,
    text(WIDTH / 2, 18, title, 'text-anchor="middle" font-size="14" font-weight="bold"'),
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function panel(unit: string, lines: readonly Line[], top: number): string {
  const all = lines.flatMap(({ values, median, asked }) => [
    ...values,
    median,
    ...(asked === undefined ? [] : [asked]),
  ])
  const marks = ticks(Math.min(0, ...all), Math.max(0, ...all))
  const [from = 0, to = 1] = [marks[0], marks.at(-1)]
  const x = (value: number) => round(LEFT + ((value - from) / (to - from)) * (WIDTH - LEFT - RIGHT))
  const bottom = top + HEAD + lines.length * ROW
  const grid = marks.flatMap((value) => [
    stroke(x(value), top + HEAD - 4, x(value), bottom, value === 0 ? '#999' : '#ddd', 1),
    text(
      x(value),
      bottom + 15,
      value.toLocaleString('en', { maximumSignificantDigits: 4 }),
      'text-anchor="middle"',
    ),
  ])
  const drawn = lines.flatMap(({ label, values, median, asked }, n) => {
    const y = top + HEAD + n * ROW + ROW / 2
    const short = label.length > 46 ? `${label.slice(0, 45)}…` : label
    return [
      text(LEFT - 10, y + 4, short, 'text-anchor="end"'),
      stroke(x(Math.min(median, ...values)), y, x(Math.max(median, ...values)), y, '#79a', 2),
      ...values.map((value) => `<circle cx="${x(value)}" cy="${y}" r="3" fill="#47a" fill-opacity="0.6"/>`),
      stroke(x(median), y - 7, x(median), y + 7, '#135', 3),
      ...(asked === undefined ? [] : [stroke(x(asked), y - 9, x(asked), y + 9, '#c22', 2)]),
    ]
  })
  return [text(LEFT, top + 14, unit, 'font-style="italic"'), ...grid, ...drawn].join('\n')
}

/** Round numbers, evenly spaced, from `from` or below it to `to` or above. */
export function ticks(from: number, to: number): readonly number[] {
  const span = to - from || 1
  const power = 10 ** Math.floor(Math.log10(span / 4))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= span / 5) ?? 10)
  const [first, last] = [Math.floor(from / step), Math.ceil((from + span) / step)]
  return Array.from({ length: last - first + 1 }, (_, n) => Number(((first + n) * step).toPrecision(12)))
}

function stroke(x1: number, y1: number, x2: number, y2: number, colour: string, width: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="${width}"/>`
}

function text(x: number, y: number, words: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(words)}</text>`
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function round(value: number): number {
  return Number(value.toFixed(1))
}
