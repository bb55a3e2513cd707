import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { initJson } from '../../src/answers/json/init.ts'
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
  /** Deletes what the sample says can be, and waits until that has arrived. */
  deleteSome(): Promise<void>
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
        return [index, { count: (await db.pool.query<{ n: number }>(sql)).rows[0]?.n }] as const
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

  const complete = async () => {
    const wanted = await rows()
    await eventually(async () => expect(await documents()).toEqual(wanted), {
      timeoutMs: 100_000,
      describe: async () => (await place.sluice(['failed', 'list'])).stdout,
    })
  }

  await loadSample(db.pool, sample, tag)
  return {
    ...world,
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
    complete,
    deleteSome: async () => {
      const before = await rows()
      const { table, where, gone } = sample.delete
      await db.pool.query(`DELETE FROM ${taggedSql(tag, table)} WHERE ${where}`)
      const left = indices.map(({ table: name, index }) => {
        const count = before[index]?.count ?? 0
        return [index, { count: count - (gone[name] ?? 0) }]
      })
      expect(await rows()).toEqual(Object.fromEntries(left))
      await complete()
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
