import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { initJson } from '../../src/cli/json/init.ts'
import { eventually } from '../support/context.ts'
import { loadSample, type Sample, tagged, taggedIndex, taggedSql } from '../support/samples/index.ts'
import { type CommandWorld, commandWorld, type Started } from './cli-support.ts'

/** A sample database, and what `sluice init`, `install` and `run` make of it when nobody touches the file between. */
export interface InitWorld extends CommandWorld {
  /** Writes the configuration, and holds it against what the sample wants. */
  init(): Promise<void>
  /** Installs what `init` wrote, and starts a daemon. */
  run(): Promise<Started>
  /** Waits until every document's index holds as many documents as its table has rows. */
  complete(): Promise<void>
  /** Rows of each table that is a document, by its index. */
  rows(): Promise<Readonly<Record<string, number>>>
}

export async function initWorld(sample: Sample): Promise<InitWorld> {
  const world = await commandWorld({ LOG_LEVEL: 'warn' })
  const { db, search, place } = world
  const tag = search.prefix.replace('-', '')
  const indices = Object.entries(sample.indices).map(([table, index]) => ({
    table,
    index: taggedIndex(tag, index),
  }))

  const rows = async () => {
    const counted = await Promise.all(
      indices.map(async ({ table, index }) => {
        const sql = `SELECT count(*)::int AS n FROM ${taggedSql(tag, table)}`
        return [index, (await db.pool.query<{ n: number }>(sql)).rows[0]?.n ?? 0] as const
      }),
    )
    return Object.fromEntries(counted)
  }
  const documents = async () => {
    const counted = await Promise.all(
      indices.map(async ({ index }) => {
        await search.request('POST', `/${index}/_refresh`)
        return [index, await search.request('GET', `/${index}/_count?filter_path=count`)] as const
      }),
    )
    return Object.fromEntries(counted)
  }

  await loadSample(db.pool, sample, tag)
  return {
    ...world,
    rows,
    init: async () => {
      const { code, value } = await place.json(['init'])
      expect(code).toBe(0)
      const { skipped } = initJson.parse(value)
      const file = await readFile(join(place.folder, 'sluice.config.ts'), 'utf8')
      const proposed = [...file.matchAll(/index: '([^']*)'/g)].map(([, index]) => index)
      expect(proposed.toSorted()).toEqual(indices.map(({ index }) => index).toSorted())
      expect(Object.fromEntries(skipped.map(({ table, reason }) => [table, reason]))).toEqual(
        Object.fromEntries(
          Object.entries(sample.leftOut).map(([table, why]) => [
            tagged(tag, table),
            expect.stringContaining(why),
          ]),
        ),
      )
      for (const column of Object.values(sample.omitted).flat()) {
        expect(file).toContain(`// ${column} is left out: `)
      }
    },
    run: async () => {
      const installed = await place.sluice(['install'])
      expect(installed, installed.stderr).toMatchObject({ code: 0 })
      return place.start(['run'])
    },
    complete: async () => {
      const wanted = Object.entries(await rows()).map(([index, count]) => [index, { count }])
      await eventually(async () => expect(await documents()).toEqual(Object.fromEntries(wanted)), {
        timeoutMs: 60_000,
        describe: async () => (await place.sluice(['status'])).stdout,
      })
    },
    drop: async () => {
      await world.drop()
      for (const { index } of indices) {
        await search.request('DELETE', `/${index}-2*?expand_wildcards=all&ignore_unavailable=true`)
        await search.request('DELETE', `/_index_template/sluice-${index}`)
      }
    },
  }
}

/** Deletes what the sample says can be; how many rows each table has less than before, by index, where it is any. */
export async function deleteFrom(
  { db, search, rows }: InitWorld,
  sample: Sample,
): Promise<Readonly<Record<string, number>>> {
  const before = await rows()
  const table = taggedSql(search.prefix.replace('-', ''), sample.delete.table)
  await db.pool.query(`DELETE FROM ${table} WHERE ${sample.delete.where}`)
  const gone = Object.entries(await rows()).map(([index, n]) => [index, (before[index] ?? 0) - n] as const)
  return Object.fromEntries(gone.filter(([, n]) => n > 0))
}
