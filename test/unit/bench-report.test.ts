import { describe, expect, test } from 'vitest'
import { type Cell, type Measurement, usual } from '../bench/cell.ts'
import { measureApart, readOutput } from '../bench/measure-apart.ts'
import { plot, ticks } from '../bench/plot.ts'
import { betterOf, keep } from '../bench/report.ts'
import type { CellReport, MeasuredCell, Report } from '../bench/report-file.ts'
import { countFigures, reportText } from '../bench/report-text.ts'
import { percentile, rounded, spread } from '../bench/statistics.ts'
import { roundLine, summarise } from '../bench/summary.ts'

/** From what a cell has measured to the report of all. */

const cell: Cell = {
  name: 'drain',
  about: 'nothing',
  defaults: usual,
  figures: { 'array marks': { of: 'ratio', atLeast: 0.85 }, p99: { of: 'value', atMost: 250 } },
  world: { documents: {} },
  measure: () => {
    throw new Error('nothing is measured here')
  },
}

const measurements: readonly Measurement[] = [
  [1, 8_000, 10_000],
  [2, 7_000, 10_000],
  [3, 9_999.6, 10_000],
].flatMap(([round = 0, value = 0, ceiling = 0]): Measurement[] => [
  {
    round,
    case: 'array marks',
    value,
    unit: 'documents/s',
    ceiling,
    ratio: value / ceiling,
    details: { cpu: 17 },
  },
  { round, case: 'p99', value: 100 * round, unit: 'ms' },
  { round, case: 'for <comparison> | with & without', value: -round, unit: 'ms' },
])

const setting = {
  servers: 'own',
  versions: { postgres: '18.4' },
  machine: { cores: 2, load_before: 0.1 },
} as const
const summary = { cell: 'drain', rounds: 3, rows: 5_000, summary: summarise(cell, measurements), ...setting }
const lines = [...measurements.map((one) => roundLine(cell, one)), JSON.stringify(summary)]
const end = { seconds: 7, ended: 'exit code 0', said: [] }
const measured: MeasuredCell = {
  command: 'npm run bench -- drain --rows 5000',
  commit: 'c0ffee',
  ...(readOutput(lines, end) as Omit<MeasuredCell, 'command' | 'commit'>),
}

const report: Report = {
  began: '2026-11-26T10:00:00.000Z',
  changed: '2026-11-26T11:00:00.000Z',
  servers: 'own',
  flags: { rows: 5_000 },
  cells: {
    drain: measured,
    idle: { state: 'left out', reason: 'it reads /proc' },
    scale: {
      state: 'failed',
      command: 'npm run bench -- scale',
      commit: 'c0ffee',
      seconds: 3,
      error: 'exit code 1\nno Java',
      rounds: [],
    },
  },
}

describe('numbers', () => {
  test('a percentile lies between the closest ranks', () => {
    expect(percentile([4, 1, 3, 2], 0.5)).toBe(2.5)
    expect(percentile([10, 20, 30], 0.25)).toBe(15)
    expect(percentile([7], 0.99)).toBe(7)
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
    expect(() => spread([])).toThrow('nothing was measured')
    expect(rounded(12_345.6)).toBe(12_350)
  })

  test('a figure is held against the median of what it is of', () => {
    expect(summarise(cell, measurements)).toMatchObject([
      {
        case: 'array marks',
        ratio: { median: 0.8, min: 0.7, max: 1 },
        asked: '≥ 0.85 of the ceiling',
        met: false,
      },
      { case: 'p99', value: { median: 200, min: 100, max: 300 }, asked: '≤ 250', met: true },
      { case: 'for <comparison> | with & without', value: { median: -2 } },
    ])
  })
})

describe('the output of a cell', () => {
  test('is its rounds and its summary', () => {
    expect(measured.state).toBe('measured')
    expect(measured.rounds).toHaveLength(9)
    expect(measured.rounds[0]).toMatchObject({ case: 'array marks', ratio: 0.8, cpu: 17 })
    expect(measured.summary).toEqual(summary)
  })

  test('without the last line it failed, with what it said last; what it had measured is kept', () => {
    const said = ['Java is needed', '  → install it']
    expect(readOutput(lines.slice(0, 2), { seconds: 2, ended: 'SIGKILL', said })).toMatchObject({
      state: 'failed',
      error: 'SIGKILL\nJava is needed\n  → install it',
      rounds: [{ case: 'array marks' }, { case: 'p99' }],
    })
    expect(readOutput([], { ...end, ended: 'exit code 2' })).toMatchObject({ state: 'failed', rounds: [] })
  })

  test('is read from a process of its own, whatever becomes of that', async () => {
    const program = (text: string) => ['-e', text]
    const said = `process.stdout.write(${JSON.stringify(`${lines.join('\n')}\n`)})`
    expect(await measureApart(cell, { rounds: 3 }, null, program(said))).toMatchObject({
      state: 'measured',
      summary,
    })
    const failed = await measureApart(
      cell,
      { rounds: 3 },
      null,
      program("process.stderr.write(['# a note', process.argv.slice(1)].join('\\n')); process.exitCode = 3"),
    )
    expect(failed).toMatchObject({
      state: 'failed',
      error: 'exit code 3\ndrain,--json,--rounds,3',
    })
    const killed = await measureApart(cell, {}, null, program("process.kill(process.pid, 'SIGKILL')"))
    expect(killed).toMatchObject({ state: 'failed', error: 'SIGKILL' })
  })

  test('counts that are not met are measured all the same', () => {
    expect(readOutput(lines, { ...end, ended: 'exit code 1' }).state).toBe('measured')
  })
})

describe('the report', () => {
  const text = reportText(report)

  test('has each figure beside what is asked, and its command', () => {
    expect(text).toContain(
      '| `npm run bench -- drain --rows 5000` | array marks | 0.8 (8000 of 10000 documents/s) | 0.7 – 1 | ≥ 0.85 of the ceiling | **not met** |',
    )
    expect(text).toContain('| p99 | 200 ms | 100 – 300 | ≤ 250 | met |')
    expect(countFigures(report)).toEqual({ asked: 2, met: 1 })
  })

  test('has what is not asked for, and says on what it was measured', () => {
    expect(text).toContain('| for <comparison> \\| with & without | ms | -2 | -3 – -1 |')
    expect(text).toContain('\nCommit c0ffee. Measured from ')
    expect(text).toContain('postgres 18.4, cores 2.')
    expect(text).toContain('![drain](plots/drain.svg)')
  })

  test('says what was not measured, and why', () => {
    expect(text).toContain('| idle | left out | it reads /proc |')
    expect(text).toContain('| scale | failed | exit code 1 no Java |')
    expect(reportText({ ...report, cells: {} })).toContain('Nothing was measured')
  })

  test('says of cells that are not of one commit, or of one machine, what each is of', () => {
    expect(text.match(/c0ffee/g)).toHaveLength(1)
    const machine = { ...summary.machine, cores: 4, load_before: 3 }
    const elsewhere = { ...measured, commit: 'decaf', summary: { ...measured.summary, machine } }
    const mixed = reportText({ ...report, cells: { ...report.cells, latency: elsewhere } })
    expect(mixed).toContain('\nCommits c0ffee, decaf: each cell has its own. Measured from ')
    const [, drain, latency] = mixed.split(/^(?=## (?:drain|latency))/m)
    expect(drain).toContain(' Commit c0ffee.')
    expect(drain).not.toContain('cores')
    expect(latency).toContain(', load before it 3. Commit decaf.\n\npostgres 18.4, cores 4.\n')
  })

  const { servers, flags } = report
  const wanted = { commit: 'c0ffee', servers, flags, into: 'resume' } as const

  test('is gone on with where it is of the same program, servers and options', () => {
    expect(keep(report, wanted)).toEqual({ drain: measured })
    const two = { ...report, flags: { rows: 5_000, rounds: 1 } }
    expect(keep(two, { ...wanted, flags: { rounds: 1, rows: 5_000 } })).toEqual({ drain: measured })
    for (const other of [{ commit: 'decaf' }, { commit: null }, { servers: 'db, search' }, { flags: {} }]) {
      expect(keep(report, { ...wanted, ...other })).toEqual({})
    }
  })

  test('keeps all cells until some are measured again, of whatever commit they are, but on the same servers and with the same options', () => {
    const again = { ...wanted, commit: 'decaf', into: 'again' } as const
    expect(keep(report, again)).toEqual(report.cells)
    const modified = { ...measured, commit: 'c0ffee-modified' }
    expect(keep({ ...report, cells: { drain: modified } }, again)).toEqual({ drain: modified })
    expect(keep(report, { ...again, flags: {} })).toEqual({})
    expect(keep(report, { ...again, servers: 'db, search' })).toEqual({})
  })

  test('a cell that is measured again and fails keeps what it had', () => {
    const failed: CellReport = { ...measured, state: 'failed', error: 'exit code 1' }
    expect(betterOf(measured, failed)).toBe(measured)
    const again = { ...measured, commit: 'decaf' }
    expect(betterOf(measured, again)).toBe(again)
    expect(betterOf(failed, again)).toBe(again)
    expect(betterOf(undefined, failed)).toBe(failed)
  })

  test.each(['c0ffee-modified', null])(
    'of what has no commit (%j) nothing is gone on with: nobody knows what it was',
    (commit) => {
      const unknown = { ...report, cells: { drain: { ...measured, commit } } }
      expect(keep(unknown, { ...wanted, commit })).toEqual({})
    },
  )
})

describe('a plot', () => {
  const svg = plot('drain', measured)
  const all = (pattern: RegExp) => [...svg.matchAll(pattern)]

  test('has a panel for each unit, a line for each case, a dot for each round, a mark for what is asked', () => {
    expect(all(/<text[^>]*italic[^>]*>([^<]*)</g).map(([, unit]) => unit)).toEqual([
      'ratio to the ceiling',
      'ms',
    ])
    expect(all(/<circle /g)).toHaveLength(9)
    expect(all(/stroke="#135"/g)).toHaveLength(3)
    expect(all(/stroke="#c22"/g)).toHaveLength(2)
    expect(svg).toContain('>for &lt;comparison&gt; | with &amp; without<')
  })

  test('has its marks where its numbers are', () => {
    // Of the first panel: 0.7, 0.8 and 1 on an axis from 0 to 1, between 300 and 740.
    const dots = all(/<circle cx="([\d.]+)"/g).map(([, x]) => Number(x))
    expect(dots.slice(0, 3)).toEqual([652, 608, 740])
    // Of p99: 100, 200 and 300 on an axis that begins at -100, for the third case is below nothing.
    expect(dots.slice(3, 6)).toEqual([520, 630, 740])
    expect(all(/<line x1="([\d.]+)"[^>]*stroke="#c22"/g)[0]?.[1]).toBe('674')
  })

  test('is named for who does not see it', () => {
    expect(svg).toMatch(/^<svg [^>]*role="img" [^>]*aria-labelledby="title"[^>]*>\n<title id="title">drain: /)
  })

  test('is well-formed: every element is closed, and every number is one', () => {
    const open: string[] = []
    for (const [, end = '', name = '', , closed = ''] of all(/<(\/?)(\w+)((?:\s[\w-]+="[^"<]*")*)(\/?)>/g)) {
      if (end !== '') expect(open.pop()).toBe(name)
      else if (closed === '') open.push(name)
    }
    expect(open).toEqual([])
    expect(svg.replaceAll(/<(\/?)(\w+)((?:\s[\w-]+="[^"<]*")*)(\/?)>/g, '')).not.toMatch(/[<>]/)
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  })

  test.each([
    [0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [0, 21_510, [0, 5_000, 10_000, 15_000, 20_000, 25_000]],
    [-1, 12, [-5, 0, 5, 10, 15]],
    [0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  ])('an axis from %d to %d has round numbers', (from, to, expected) => {
    expect(ticks(from, to)).toEqual(expected)
  })
})
