import { parseArgs } from 'node:util'
import { describeError, UsageError } from '../../src/errors.ts'
import { type MatrixCell, matrixCells } from './cells.ts'
import { type CellResult, runCell } from './run-cell.ts'

const usage = `npm run matrix -- [cell…] [--file PATH…] [--list] [--json]

The tests that use the servers they are given, against every Postgres from 15 to 18 with Elasticsearch 8.19, Elasticsearch 9.5
and OpenSearch 3.4; and those that go through PgBouncer in transaction mode. A cell takes about eight minutes on two cores.
A cell whose servers this machine cannot start is named, with the reason, and does not count as passed.

  npm run matrix                               everything
  npm run matrix -- postgres-15 opensearch-3   the cells with one of these in their name
  npm run matrix -- postgres-18/opensearch-3 --file test/integration/sync.test.ts
  npm run matrix -- --list                     the cells, and what is missing for them

Exit code 0 only if every test passed in every cell that was asked for; 3 if nothing failed, but some cell could not run.
`

interface Options {
  readonly cells: readonly MatrixCell[]
  readonly files: readonly string[] | null
  readonly list: boolean
  readonly json: boolean
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort())

try {
  const options = readOptions()
  process.exitCode = options === null ? 0 : await runAll(options)
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = stopping.signal.aborted ? 130 : error instanceof UsageError ? 2 : 1
}

function readOptions(): Options | null {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string', multiple: true },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return null
  }
  const unknown = positionals.filter((text) => !matrixCells.some(({ name }) => name.includes(text)))
  if (unknown.length > 0) {
    throw new UsageError(`there is no cell with ${unknown.join(', ')} in its name`, {
      remedy: 'npm run matrix -- --list names them',
    })
  }
  const chosen = matrixCells.filter(({ name }) => positionals.some((text) => name.includes(text)))
  return {
    cells: positionals.length === 0 ? matrixCells : chosen,
    files: values.file ?? null,
    list: values.list,
    json: values.json,
  }
}

async function runAll({ cells, files, list, json }: Options): Promise<number> {
  if (list) {
    for (const { name, missing } of cells)
      process.stdout.write(`${name}: ${(await missing()) ?? 'can run'}\n`)
    return 0
  }
  const results: CellResult[] = []
  for (const cell of cells) {
    process.stderr.write(`${cell.name} …\n`)
    const result = await runCell(cell, { files, signal: stopping.signal })
    results.push(result)
    process.stdout.write(json ? `${JSON.stringify(result)}\n` : text(result))
  }
  if (results.some(({ state }) => state === 'failed')) return 1
  return results.some(({ state }) => state === 'missing') ? 3 : 0
}

function text({ name, state, passed, failed, skipped, seconds, notes }: CellResult): string {
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds} s`
  const head = state === 'missing' ? `${name}: could not run` : `${name}: ${state} (${counts})`
  return [head, ...notes.map((note) => `  ${note}`), ''].join('\n')
}
