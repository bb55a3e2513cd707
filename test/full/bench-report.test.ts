import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { readReport } from '../bench/report-file.ts'
import { findOrStartServers } from '../support/servers/index.ts'

/** `npm run bench` as its users have it, for few rows: cells of daemons, one that is left out, and the files. */

const BENCH = join(import.meta.dirname, '../bench/bench.ts')

test('the report of some cells on servers that are there', { timeout: 600_000 }, async () => {
  // Not the run's: test/integration/bench.test.ts may be there at the same time, with the same names of indices.
  const { postgresUrl, elasticsearchUrl, stop } = await findOrStartServers({}, { brief: true })
  const directory = await mkdtemp(join(tmpdir(), 'sluice-bench-report-'))
  const out = join(directory, 'report')
  const bench = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [BENCH, ...args, '--out', out], { cwd: directory })
  try {
    const { stdout, stderr } = await bench(
      ...['--cells', 'backfill,scale,held-snapshot,idle', '--rows', '300', '--rounds', '1'],
      ...['--seconds', '2', '--postgres', postgresUrl, '--elasticsearch', elasticsearchUrl],
    )
    expect(stdout).toMatch(/report\.md: \d+ of 3 figures met\n$/)
    expect(stderr).toContain('1 of 4: backfill; then scale, held-snapshot, idle')
    const report = await readReport(out)
    const { idle, ...measured } = report?.cells ?? {}
    expect(idle).toMatchObject({ state: 'left out' })
    expect(Object.entries(measured).map(([name, { state }]) => `${name} ${state}`)).toEqual([
      'backfill measured',
      'scale measured',
      'held-snapshot measured',
    ])
    const text = await readFile(join(out, 'report.md'), 'utf8')
    expect(text).toContain('| 4 daemons to 1 |')
    expect(text).not.toContain('postgres://')
    expect(await readFile(join(out, 'plots/scale.svg'), 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
    await expect(bench('--cells', 'idle')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is a report'),
    })
  } finally {
    await stop()
    await rm(directory, { recursive: true, force: true })
  }
})
