import { join } from 'node:path'
import pg from 'pg'
import { afterAll, expect, inject, test } from 'vitest'
import { ceiling } from '../bench/ceiling.ts'
import type { CellOptions } from '../bench/cell.ts'
import { runCell } from '../bench/run-cell.ts'
import { useServers } from '../bench/servers.ts'
import { roundLine } from '../bench/summary.ts'
import { testElasticsearch } from '../support/context.ts'

/** A benchmark on servers that are there: the shortest cell, with few rows, run from the source. */

const outside = { postgres: inject('postgresUrl'), elasticsearch: inject('elasticsearchUrl') }
const options: CellOptions = { rounds: 1, rows: 200, rate: null, seconds: 1 }
const search = testElasticsearch()
const pool = new pg.Pool({ connectionString: outside.postgres, max: 1 })

const databases = async () => {
  const { rows } = await pool.query(`SELECT datname FROM pg_database WHERE datname LIKE 'sluice_bench_%'`)
  return rows
}
const indices = () => search.request('GET', '/bench-*,raw-bench-*/_alias?expand_wildcards=all')

afterAll(() => pool.end())

test('measures, prints JSON, and leaves nothing behind', async () => {
  const lines: string[] = []
  const summary = await runCell(
    ceiling,
    options,
    { onMeasurement: (measurement) => lines.push(roundLine(ceiling, measurement)), note: () => {} },
    { outside, program: join(import.meta.dirname, '../../src/cli/main.ts') },
  )
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      cell: 'ceiling',
      round: 1,
      case: 'raw bulk',
      documents: 200,
      unit: 'documents/s',
    }),
  ])
  expect(summary).toMatchObject({
    cell: 'ceiling',
    servers: 'outside',
    rounds: 1,
    versions: { postgres: expect.stringMatching(/^\d+/), elasticsearch: expect.stringMatching(/^\d+/) },
  })
  expect(summary.summary[0]?.value.median).toBeGreaterThan(0)
  expect(await databases()).toEqual([])
  expect(await indices()).toEqual({})
  expect(JSON.stringify(await search.request('GET', '/_index_template'))).not.toContain('bench-article')
})

test('does not touch indices that are there', async () => {
  await search.request('PUT', '/bench-of-others')
  try {
    await expect(useServers(outside)).rejects.toThrow('indices of these names: bench-of-others')
    expect(await indices()).toHaveProperty('bench-of-others')
    expect(await databases()).toEqual([])
  } finally {
    await search.request('DELETE', '/bench-of-others')
  }
})
