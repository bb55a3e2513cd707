import type { CellReport, MeasuredCell, Report } from './report-file.ts'

/** The report for people, as Markdown: figures against what is asked of them, then all that was measured. Pure. */

type Case = MeasuredCell['summary']['summary'][number]

export function reportText(report: Report): string {
  const cells = Object.entries(report.cells)
  const measured = cells.flatMap(([name, cell]) => (cell.state === 'measured' ? [{ name, ...cell }] : []))
  const asked = measured.flatMap((cell) =>
    cell.summary.summary.flatMap((one) =>
      one.asked === undefined
        ? []
        : [[code(cell.command), one.case, medianOf(one), spreadOf(one), one.asked, verdict(one)]],
    ),
  )
  return [
    '# Benchmark report',
    settingText(report, measured[0]),
    '## Figures',
    asked.length === 0
      ? 'Nothing was measured of which a figure is asked.'
      : table(['command', 'case', 'median', 'from – to', 'asked', ''], asked),
    ...others(cells),
    ...measured.flatMap((cell) => [`## ${cell.name}`, ...cellText(cell.name, cell)]),
  ]
    .join('\n\n')
    .concat('\n')
}

/** How many figures are asked of what was measured, and met. */
export function countFigures({ cells }: Report): { readonly asked: number; readonly met: number } {
  const verdicts = Object.values(cells).flatMap((cell) =>
    cell.state === 'measured' ? cell.summary.summary.flatMap(({ met }) => met ?? []) : [],
  )
  return { asked: verdicts.length, met: verdicts.filter(Boolean).length }
}

function settingText({ commit, began, changed, servers }: Report, first: MeasuredCell | undefined): string {
  const { versions = {}, machine = {} } = first?.summary ?? {}
  // Of one cell, not of the report: it is in report.json.
  const { load_before: _, ...lasting } = machine
  const setting = Object.entries({ ...versions, ...lasting }).map(([name, value]) => `${name} ${value}`)
  const where =
    servers === 'own' ? 'Servers of its own for each cell.' : `Servers that were there: ${servers}.`
  return [
    `Commit ${commit ?? 'unknown'}, ${began} to ${changed}. ${where}`,
    ...(setting.length === 0 ? [] : [`${setting.join(', ')}.`]),
    'Medians of the rounds, and the least and the most. A ceiling is raw `_bulk` of the same documents in the same round.',
  ].join('\n')
}

function others(cells: readonly (readonly [string, CellReport])[]): readonly string[] {
  const rows = cells.flatMap(([name, cell]) => {
    if (cell.state === 'measured') return []
    return [[name, cell.state, cell.state === 'failed' ? cell.error : cell.reason]]
  })
  return rows.length === 0 ? [] : ['## Not measured', table(['cell', '', 'why'], rows)]
}

function cellText(name: string, { command, seconds, summary }: MeasuredCell): readonly string[] {
  const { rounds, rows, machine } = summary
  const load = machine.load_before === undefined ? '' : `, load before it ${machine.load_before}`
  return [
    `${code(command)}: ${rounds} rounds, ${rows} rows; ${Math.round(seconds)} s in all${load}.`,
    table(
      ['case', 'unit', 'median', 'from – to', 'ceiling', 'ratio', 'asked', ''],
      summary.summary.map((one) => [
        one.case,
        one.unit,
        String(one.value.median),
        range(one.value),
        one.ceiling === undefined ? '' : String(one.ceiling.median),
        one.ratio === undefined ? '' : `${one.ratio.median} (${range(one.ratio)})`,
        one.asked ?? '',
        verdict(one),
      ]),
    ),
    `![${name}](plots/${name}.svg)`,
  ]
}

/** Of what is asked: a ratio says of what. */
function medianOf({ figure, value, ratio, ceiling, unit }: Case): string {
  if (figure?.of !== 'ratio' || ratio === undefined) return `${value.median} ${unit}`
  return `${ratio.median} (${value.median} of ${ceiling?.median} ${unit})`
}

function spreadOf({ figure, value, ratio }: Case): string {
  return range(figure?.of === 'ratio' && ratio !== undefined ? ratio : value)
}

function range({ min, max }: { readonly min: number; readonly max: number }): string {
  return `${min} – ${max}`
}

function verdict({ met }: Case): string {
  if (met === undefined) return ''
  return met ? 'met' : '**not met**'
}

function code(command: string): string {
  return `\`${command}\``
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cellOf).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** A bar would end the cell, a line break the table. */
function cellOf(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')
}
