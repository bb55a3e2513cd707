import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UsageError } from '../../src/errors.ts'
import { plot } from './plot.ts'
import { reportText } from './report-text.ts'

/** `report.json`: all that was measured, with what it was measured on. Read again by --resume. */

const spread = z.object({ median: z.number(), min: z.number(), max: z.number() })

const round = z.looseObject({
  cell: z.string(),
  round: z.number(),
  case: z.string(),
  value: z.number(),
  unit: z.string(),
  ceiling: z.number().optional(),
  ratio: z.number().optional(),
})

const summary = z.object({
  cell: z.string(),
  rounds: z.number(),
  rows: z.number(),
  servers: z.enum(['own', 'outside']),
  versions: z.record(z.string(), z.string()),
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  summary: z.array(
    z.object({
      case: z.string(),
      unit: z.string(),
      value: spread,
      ceiling: spread.optional(),
      ratio: spread.optional(),
      asked: z.string().optional(),
      figure: z
        .object({
          of: z.enum(['value', 'ratio']),
          atMost: z.number().optional(),
          atLeast: z.number().optional(),
        })
        .optional(),
      met: z.boolean().optional(),
    }),
  ),
})

/** The last one that changed what is measured; with `-modified` where the working tree does; null where there is no git. */
const commit = z.string().nullable()

const cellReport = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('measured'),
    /** Prints it again. */
    command: z.string(),
    commit,
    /** What it took, servers and warming up included. */
    seconds: z.number(),
    rounds: z.array(round),
    summary,
  }),
  z.object({
    state: z.literal('failed'),
    command: z.string(),
    commit,
    seconds: z.number(),
    /** What it said last. */
    error: z.string(),
    /** Those it had measured by then. */
    rounds: z.array(round),
  }),
  z.object({ state: z.literal('left out'), reason: z.string() }),
])

const report = z.object({
  began: z.string(),
  /** Last time that a cell was added. */
  changed: z.string(),
  /** `own`, or where they are. */
  servers: z.string(),
  flags: z.record(z.string(), z.number()),
  /** By name. */
  cells: z.record(z.string(), cellReport),
})

export type RoundLine = z.infer<typeof round>
export type CellReport = z.infer<typeof cellReport>
export type MeasuredCell = Extract<CellReport, { state: 'measured' }>
export type Report = z.infer<typeof report>

export const roundSchema = round
export const summarySchema = summary

/** null where there is none. UsageError where there is something else. */
export async function readReport(directory: string): Promise<Report | null> {
  const path = join(directory, 'report.json')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  try {
    return report.parse(JSON.parse(text))
  } catch (cause) {
    throw new UsageError('it is no report of this version', {
      where: path,
      remedy: 'Delete it, or name another directory: --out',
      cause,
    })
  }
}

/** All of it, after each cell: what is broken off can be read. */
export async function saveReport(directory: string, written: Report): Promise<void> {
  await mkdir(join(directory, 'plots'), { recursive: true })
  for (const [name, cell] of Object.entries(written.cells)) {
    if (cell.state === 'measured') await writeFile(join(directory, 'plots', `${name}.svg`), plot(name, cell))
  }
  await writeFile(join(directory, 'report.md'), reportText(written))
  const path = join(directory, 'report.json')
  await writeFile(`${path}.new`, `${JSON.stringify(written, null, 2)}\n`)
  await rename(`${path}.new`, path)
}
