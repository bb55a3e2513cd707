import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { MatrixCell } from './cells.ts'

/** What became of a cell. */
export interface CellResult {
  readonly name: string
  readonly state: 'passed' | 'failed' | 'missing'
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
  /** Why it could not run, or which tests failed. */
  readonly notes: readonly string[]
}

const PROJECT = join(import.meta.dirname, '../..')

/** Files that start the servers they are about, and would say the same in every cell. */
const WITH_OWN_SERVERS = [
  'test/integration/servers.test.ts',
  'test/integration/elasticsearch-9.test.ts',
  'test/integration/opensearch.test.ts',
  'test/integration/capture-subscriber.test.ts',
  'test/integration/trigger-matrix.test.ts',
  'test/integration/pgbouncer.test.ts',
]

/** vitest's JSON report, as far as it is read. */
const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).optional(),
        }),
      ),
    }),
  ),
})

export interface RunOptions {
  /** Test files in place of the cell's own; null: the cell's. */
  readonly files: readonly string[] | null
  readonly signal: AbortSignal
}

/** Starts the servers of a cell, runs the tests against them, and stops them, whatever happens. */
export async function runCell(cell: MatrixCell, { files, signal }: RunOptions): Promise<CellResult> {
  const began = performance.now()
  const result = (part: Omit<CellResult, 'name' | 'seconds'>): CellResult => ({
    name: cell.name,
    ...part,
    seconds: Math.round((performance.now() - began) / 1000),
  })
  const why = await cell.missing()
  if (why !== null) return result({ state: 'missing', passed: 0, failed: 0, skipped: 0, notes: [why] })
  await using servers = new AsyncDisposableStack()
  const postgres = await cell.postgres()
  servers.defer(() => postgres.stop())
  const search = await cell.search()
  servers.defer(() => search.stop())
  const folder = await mkdtemp(join(tmpdir(), 'sluice-matrix-'))
  servers.defer(() => rm(folder, { recursive: true, force: true }))
  const output = join(folder, 'report.json')
  const said = await runTests(files ?? cell.files, output, {
    signal,
    env: { DATABASE_URL: postgres.url, ELASTICSEARCH_URL: search.url },
  })
  signal.throwIfAborted()
  const { numPassedTests, numFailedTests, numPendingTests, testResults, success } = report.parse(
    await readFile(output, 'utf8').then(JSON.parse, () => {
      throw new Error(`${cell.name}: vitest left no report:\n${said}`)
    }),
  )
  const notes = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = name.replace(`${PROJECT}/`, '')
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length > 0)
      return failed.map(
        ({ fullName, failureMessages }) => `${file}: ${fullName}: ${firstLine(failureMessages?.[0])}`,
      )
    return status === 'failed' ? [`${file}: ${firstLine(message)}`] : []
  })
  // Without a test that passed nothing was shown, whatever vitest thinks of it.
  const state = success && numPassedTests > 0 ? 'passed' : 'failed'
  return result({
    state,
    passed: numPassedTests,
    failed: numFailedTests,
    skipped: numPendingTests,
    notes,
  })
}

/** Of what a test or a file failed with; a file that failed before its tests may have nothing in its first line. */
function firstLine(message: string | undefined): string {
  return message?.split('\n').find((line) => line.trim() !== '') ?? 'no reason was given'
}

interface TestRun {
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string>>
}

/** Returns what vitest printed; its exit code says what the report says in full. */
function runTests(
  files: readonly string[] | null,
  output: string,
  { signal, env }: TestRun,
): Promise<string> {
  const chosen = files ?? WITH_OWN_SERVERS.flatMap((file) => ['--exclude', file])
  const args = ['run', '--project', 'integration', '--reporter', 'json', '--outputFile', output, ...chosen]
  const vitest = join(PROJECT, 'node_modules/vitest/vitest.mjs')
  const child = spawn(process.execPath, [vitest, ...args], {
    cwd: PROJECT,
    env: { ...process.env, ...env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const note = (text: string) => {
    said = `${said}${text}`.slice(-4_000)
  }
  child.stdout.setEncoding('utf8').on('data', note)
  child.stderr.setEncoding('utf8').on('data', note)
  const stop = () => child.kill('SIGINT')
  signal.addEventListener('abort', stop)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => {
      signal.removeEventListener('abort', stop)
      resolve(said)
    })
  })
}
