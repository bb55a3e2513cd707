import type { CellReport, MeasuredCell, Report } from './report-file.ts'

/** The report for people, as Markdown: figures against what is asked of them, then all that was measured. Pure. */

type Case = MeasuredCell['summary']['summary'][number]

export function reportText(report: Report): string {
  const cells = Object.entries(report.cells)
  const measured = cells.flatMap(([name, cell]) => (cell.state === 'measured' ? [{ name, ...cell }] : []))
  const commits = [...new Set(measured.map(({ commit }) => commit ?? 'unknown'))]
  const setting = measured[0] === undefined ? '' : settingText(measured[0])
  const asked = measured.flatMap((cell) =>
    cell.summary.summary.flatMap((one) =>
      one.asked === undefined
        ? []
        : [[code(cell.command), one.case, medianOf(one), spreadOf(one), one.asked, verdict(one)]],
    ),
  )
  return [
    '# Benchmark report',
    introduction(report, { commits, setting }),
    '## Figures',
    asked.length === 0
      ? 'Nothing was measured of which a figure is asked.'
      : table(['command', 'case', 'median', 'from – to', 'asked', ''], asked),
    ...others(cells),
    ...measured.flatMap((cell) => [
      `## ${cell.name}`,
      ...cellText(cell.name, cell, {
        ...(commits.length > 1 && { commit: cell.commit ?? 'unknown' }),
        ...(settingText(cell) !== setting && { setting: settingText(cell) }),
      }),
    ]),
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

function introduction(
  { began, changed, servers }: Report,
  { commits, setting }: { readonly commits: readonly string[]; readonly setting: string },
): string {
  const commit =
    commits.length > 1 ? `Commits ${commits.join(', ')}: each cell has its own` : `Commit ${commits[0]}`
  const where =
    servers === 'own' ? 'Servers of its own for each cell.' : `Servers that were there: ${servers}.`
  return [
    `${commits.length === 0 ? '' : `${commit}. `}Measured from ${began} to ${changed}. ${where}`,
    ...(setting === '' ? [] : [setting]),
    'Medians of the rounds, and the least and the most. A ceiling is raw `_bulk` of the same documents in the same round.',
  ].join('\n')
}

/** The versions and the machine. */
function settingText({ summary: { versions, machine } }: MeasuredCell): string {
  // Of this cell alone: it is told with it.
  const { load_before: _, ...lasting } = machine
  const setting = Object.entries({ ...versions, ...lasting }).map(([name, value]) => `${name} ${value}`)
  return setting.length === 0 ? '' : `${setting.join(', ')}.`
}

function others(cells: readonly (readonly [string, CellReport])[]): readonly string[] {
  const rows = cells.flatMap(([name, cell]) => {
    if (cell.state === 'measured') return []
    return [[name, cell.state, cell.state === 'failed' ? cell.error : cell.reason]]
  })
  return rows.length === 0 ? [] : ['## Not measured', table(['cell', '', 'why'], rows)]
}

/** `apart`: what is not as the introduction has it. */
function cellText(
  name: string,
  { command, seconds, summary }: MeasuredCell,
  apart: { readonly commit?: string; readonly setting?: string },
): readonly string[] {
  const { rounds, rows, machine } = summary
  const load = machine.load_before === undefined ? '' : `, load before it ${machine.load_before}`
  const commit = apart.commit === undefined ? '' : ` Commit ${apart.commit}.`
  return [
    `${code(command)}: ${rounds} rounds, ${rows} rows; ${Math.round(seconds)} s in all${load}.${commit}`,
    ...(apart.setting === undefined ? [] : [apart.setting]),
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
