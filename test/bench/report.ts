import { join } from 'node:path'
import { FailedError, UsageError } from '../../src/errors.ts'
import { closing, say } from '../support/program.ts'
import { cells as all } from './cells.ts'
import { type Command, commandOf, describeServers, type Flags, type Into } from './command-line.ts'
import { MODIFIED, measuredCommit } from './commit.ts'
import { measureApart } from './measure-apart.ts'
import { type CellReport, type Report, readReport, saveReport } from './report-file.ts'
import { countFigures } from './report-text.ts'

const PROJECT = join(import.meta.dirname, '../..')

type Wish = Extract<Command, { kind: 'report' }>

/** Measures the cells one after the other, each in a process of its own. False where one could not be measured. */
export async function writeReport({ cells, flags, outside, out, into }: Wish): Promise<boolean> {
  const commit = await measuredCommit(PROJECT)
  const fresh = { servers: describeServers(outside), flags }
  const before = await readReport(out)
  const kept = before === null ? {} : keep(before, { ...fresh, commit, into })
  if (before !== null) checkBefore(before, kept, { out, into })
  const now = () => new Date().toISOString()
  let report: Report = { began: before?.began ?? now(), changed: now(), ...fresh, cells: kept }
  const left = cells.filter(({ name }) => into === 'again' || kept[name] === undefined)
  if (before !== null) say(`kept: ${Object.keys(kept).join(', ')}`)
  const failed: string[] = []
  for (const [n, cell] of left.entries()) {
    const rest = left.slice(n + 1).map(({ name }) => name)
    say(`${n + 1} of ${left.length}: ${cell.name}${rest.length === 0 ? '' : `; then ${rest.join(', ')}`}`)
    // What has been measured so far would be of another program than the rest.
    if ((await measuredCommit(PROJECT)) !== commit) throw new FailedError('the source has changed meanwhile')
    const command = commandOf(cell, flags, outside)
    const result: CellReport =
      outside !== null && cell.ownServers !== undefined
        ? { state: 'left out', reason: `it needs servers of its own: ${cell.ownServers}` }
        : { command, commit, ...(await measureApart(cell, flags, outside)) }
    // Told to stop: what this cell came to is no result of its.
    if (closing.disposed) return false
    if (result.state === 'failed') failed.push(cell.name)
    const better = betterOf(report.cells[cell.name], result)
    report = { ...report, changed: now(), cells: inOrder({ ...report.cells, [cell.name]: better }) }
    await saveReport(out, report)
    say(`${cell.name}: ${told(result)}${better === result ? '' : '; what it had measured before is kept'}`)
  }
  const { asked, met } = countFigures(report)
  process.stdout.write(
    `${join(out, 'report.md')}: ${met} of ${asked} figures met${failed.length === 0 ? '' : `; failed: ${failed.join(', ')}`}\n`,
  )
  return failed.length === 0
}

/** UsageError where measuring would overwrite what took hours. */
function checkBefore(before: Report, kept: Report['cells'], { out, into }: Pick<Wish, 'out' | 'into'>): void {
  const where = out
  if (into === 'new') {
    throw new UsageError('there is a report', {
      where,
      remedy:
        'Go on with it (--resume), measure cells of it anew (--again), name another directory (--out), or delete it.',
    })
  }
  const commits = Object.values(before.cells).flatMap((cell) =>
    cell.state === 'measured' ? (cell.commit ?? 'unknown') : [],
  )
  if (commits.length === 0 || Object.keys(kept).length > 0) return
  throw new UsageError(
    `nothing of this report would be kept, which is of ${[...new Set(commits)].join(', ')}`,
    {
      where,
      remedy:
        into === 'again'
          ? 'Options and servers have to be the same. Name another directory (--out), or delete it.'
          : 'Commit, options and servers have to be the same, and the working tree unmodified. Measure cells of it anew (--again), name another directory (--out), or delete it.',
    },
  )
}

interface Wanted {
  readonly commit: string | null
  readonly servers: string
  readonly flags: Flags
  readonly into: Into
}

/**
 * What stays of a report of the same servers and options. To measure some cells `again`, all of it, those cells too, until they
 * have been: each says what it is of. Else what the same program has measured; nobody knows what a modified working tree was,
 * so that nothing goes on from it. Pure.
 */
export function keep(
  before: Pick<Report, 'servers' | 'flags' | 'cells'>,
  { commit, servers, flags, into }: Wanted,
): Report['cells'] {
  if (before.servers !== servers || sorted(before.flags) !== sorted(flags)) return {}
  if (into === 'again') return before.cells
  return Object.fromEntries(
    Object.entries(before.cells).filter(
      ([, cell]) =>
        cell.state === 'measured' && cell.commit === commit && commit?.endsWith(MODIFIED) === false,
    ),
  )
}

/** A measurement does not give way to one that failed. Pure. */
export function betterOf(former: CellReport | undefined, latter: CellReport): CellReport {
  return former?.state === 'measured' && latter.state === 'failed' ? former : latter
}

function sorted(flags: object): string {
  return JSON.stringify(Object.entries(flags).toSorted())
}

function inOrder(measured: Report['cells']): Report['cells'] {
  const names = new Set([...all.map(({ name }) => name), ...Object.keys(measured)])
  return Object.fromEntries(
    [...names].flatMap((name): [string, CellReport][] => {
      const cell = measured[name]
      return cell === undefined ? [] : [[name, cell]]
    }),
  )
}

function told(cell: CellReport): string {
  switch (cell.state) {
    case 'left out':
      return `left out, ${cell.reason}`
    case 'failed':
      return `failed after ${Math.round(cell.seconds)} s: ${cell.error}`
    case 'measured': {
      const verdicts = cell.summary.summary.flatMap(({ met }) => met ?? [])
      const figures =
        verdicts.length === 0 ? '' : `, ${verdicts.filter(Boolean).length} of ${verdicts.length} figures met`
      return `measured in ${Math.round(cell.seconds)} s${figures}`
    }
  }
}
