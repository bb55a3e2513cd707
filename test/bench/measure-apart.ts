import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { closing } from '../support/program.ts'
import type { Cell } from './cell.ts'
import type { Flags } from './command-line.ts'
import {
  type CellReport,
  type MeasuredCell,
  type RoundLine,
  roundSchema,
  summarySchema,
} from './report-file.ts'
import type { Outside } from './servers.ts'

const BENCH = join(import.meta.dirname, 'bench.ts')

/** Lines of standard error that are kept, for the error of a cell that fails: a message stands above its stack. */
const LAST_LINES = 20

/**
 * `npm run bench -- <cell> --json` as a process of its own: neither what it leaves in memory nor how it ends is the next one's.
 * What it says on standard error goes on to ours.
 */
export async function measureApart(
  { name }: Pick<Cell, 'name'>,
  flags: Flags,
  outside: Outside | null,
  /** How it is run; another program in tests. */
  program: readonly string[] = [BENCH],
) {
  const servers =
    outside === null ? [] : ['--postgres', outside.postgres, '--elasticsearch', outside.elasticsearch]
  const stated = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)])
  const began = performance.now()
  const child = spawn(process.execPath, [...program, name, '--json', ...stated, ...servers], {
    // Nothing is said by the channel: its end tells the cell that this process is gone.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const closed = once(child, 'close')
  // It ends its servers itself, when it is told to.
  closing.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await closed
  })
  const output: string[] = []
  const said: string[] = []
  onLine(child.stdout, (line) => output.push(line))
  onLine(child.stderr, (line) => {
    process.stderr.write(`${line}\n`)
    if (line.startsWith('#')) return
    said.push(line)
    if (said.length > LAST_LINES) said.shift()
  })
  await closed
  return readOutput(output, {
    seconds: Number(((performance.now() - began) / 1000).toFixed(1)),
    ended: child.signalCode ?? `exit code ${child.exitCode}`,
    said,
  })
}

function onLine(stream: Readable | null, tell: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', tell)
}

type Apart<Outcome> = Omit<Outcome, 'command' | 'commit'>
type Outcome = Apart<MeasuredCell> | Apart<Extract<CellReport, { state: 'failed' }>>

interface End {
  readonly seconds: number
  /** `exit code 1`, or a signal. */
  readonly ended: string
  /** The last lines of standard error, without notes on how far it is. */
  readonly said: readonly string[]
}

/** What its JSON lines amount to: measured where the last one is there, for a cell that misses a count exits with 1. Pure. */
export function readOutput(lines: readonly string[], { seconds, ended, said }: End): Outcome {
  const parsed = lines.map((line): unknown => {
    try {
      return JSON.parse(line)
    } catch {
      return null
    }
  })
  const rounds = parsed.flatMap((line): RoundLine[] => {
    const { success, data } = roundSchema.safeParse(line)
    return success ? [data] : []
  })
  const { success, data: summary } = summarySchema.safeParse(parsed.at(-1))
  if (success) return { state: 'measured', seconds, rounds, summary }
  const error = [ended, ...said].join('\n')
  return { state: 'failed', seconds, error, rounds }
}
