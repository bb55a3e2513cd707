import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Started, type Workspace, workspace } from '../integration/cli-support.ts'
import {
  eventually,
  type TestDatabase,
  type TestElasticsearch,
  testDatabase,
  testElasticsearch,
} from '../support/context.ts'
import {
  type Change,
  carryOut,
  Model,
  type Transaction,
  tables,
  transaction,
  truncate,
} from './properties-model.ts'

/**
 * Whatever transactions do, and whatever becomes of the daemons meanwhile, the index ends as the committed rows are: held
 * against a Map. A failure prints its seed and the shortest sequence that was found to fail:
 *
 *     PROPERTY_SEED=… PROPERTY_RUNS=… npx vitest run --project full test/full/properties.test.ts
 */
const SEED = Number(process.env.PROPERTY_SEED ?? Math.floor(Math.random() * 2 ** 31))
const RUNS = Number(process.env.PROPERTY_RUNS ?? 25)

let database: TestDatabase
let search: TestElasticsearch
let place: Workspace
let daemons: Started[]

const startDaemon = () => place.start(['run'], { ADMIN_PORT: 'off', LOG_LEVEL: 'warn' })

beforeAll(async () => {
  database = await testDatabase()
  search = testElasticsearch()
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: search.url, BATCH_SIZE: '5' })
  await database.pool.query(tables)
  const child = {
    table: 'child',
    index: `${search.prefix}child`,
    fields: ['id', 'name'],
    relations: { parent: { one: 'parent', fields: ['name'] } },
  }
  await place.write('sluice.config.json', JSON.stringify({ documents: { child } }))
  expect(await place.sluice(['install'])).toMatchObject({ code: 0 })
  daemons = [startDaemon(), startDaemon()]
})
afterAll(async () => {
  await place?.remove()
  await search?.drop()
  await database?.drop()
})

class Transact implements fc.AsyncCommand<Model, undefined> {
  readonly #transaction: Transaction

  constructor(one: Transaction) {
    this.#transaction = one
  }
  check() {
    return true
  }
  run(model: Model) {
    return carryOut(database.pool, model, this.#transaction)
  }
  toString() {
    const { before, within, after, keep, commit } = this.#transaction
    const said = (changes: readonly Change[]) =>
      changes.map(({ sql }) => sql.replaceAll(/\s+/g, ' ')).join('; ')
    return `[${said(before)} | ${keep ? 'release' : 'back'}: ${said(within)} | ${said(after)} | ${commit ? 'commit' : 'rollback'}]`
  }
}

/** One of the daemons is killed, and another takes its place. */
class Kill implements fc.AsyncCommand<Model, undefined> {
  check() {
    return true
  }
  async run() {
    const killed = daemons.shift()
    killed?.process.kill('SIGKILL')
    await killed?.ended
    daemons.push(startDaemon())
  }
  toString() {
    return 'kill'
  }
}

/** A reindex is asked for, after the verify of a TRUNCATE where there was one; the index is swapped some time later. */
class Swap implements fc.AsyncCommand<Model, undefined> {
  check() {
    return true
  }
  async run() {
    await eventually(
      async () => {
        const { code, stderr } = await place.sluice(['reindex', 'child', '--keep', '0', '--no-wait'])
        expect({ code, stderr }).toMatchObject({ code: 0 })
      },
      { timeoutMs: 60_000, describe: 'a reindex' },
    )
  }
  toString() {
    return 'swap'
  }
}

class Agree implements fc.AsyncCommand<Model, undefined> {
  check() {
    return true
  }
  async run(model: Model) {
    await agrees(model)
  }
  toString() {
    return 'agree'
  }
}

/** Waits until everything is worked off. */
async function drained(): Promise<void> {
  await eventually(
    async () => {
      const { rows } = await database.pool.query<{ left: number }>(`
        SELECT (SELECT count(*) FROM sluice.sync_queue)
             + (SELECT count(*) FROM sluice.sync_failed)
             + (SELECT count(*) FROM sluice.sync_run WHERE state IN ('requested', 'running'))::int AS left`)
      expect(Number(rows[0]?.left)).toBe(0)
    },
    { timeoutMs: 60_000, describe: 'nothing left to do' },
  )
}

/** Holds the index against the model when nothing is left to do. */
async function agrees(model: Model): Promise<void> {
  await drained()
  expect(sorted(await documents())).toEqual(sorted(model.documents()))
}

/** What the index holds, by id. */
async function documents(): Promise<ReadonlyMap<string, unknown>> {
  await search.request('POST', `/${search.prefix}child/_refresh`)
  const { hits } = (await search.request('POST', `/${search.prefix}child/_search`, { size: 100 })) as {
    hits: { hits: readonly { _id: string; _source: unknown }[] }
  }
  return new Map(hits.hits.map(({ _id, _source }) => [_id, _source]))
}

const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => Number(a) - Number(b))

const steps = fc.commands(
  [
    transaction.map((one) => new Transact(one)),
    transaction.map((one) => new Transact(one)),
    transaction.map((one) => new Transact(one)),
    fc.constantFrom(
      new Transact({ before: [truncate], within: [], after: [], keep: true, commit: true }),
      new Kill(),
      new Swap(),
      new Agree(),
    ),
  ],
  { maxCommands: 30, size: 'max' },
)

/** A run begins with empty tables and an index that agrees: what an earlier one got wrong is no fault of this one. */
async function begin(agreed: boolean): Promise<void> {
  await database.pool.query('DELETE FROM child; DELETE FROM parent')
  if (agreed) return
  await drained()
  for (const [id] of await documents()) await search.request('DELETE', `/${search.prefix}child/_doc/${id}`)
}

test(`the index ends as the committed rows are (seed ${SEED}, ${RUNS} runs)`, async () => {
  let agreed = true
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      await begin(agreed)
      agreed = false
      const model = new Model()
      await fc.asyncModelRun(() => ({ model, real: undefined }), commands)
      await agrees(model)
      agreed = true
    }),
    { seed: SEED, numRuns: RUNS, interruptAfterTimeLimit: 900_000, markInterruptAsFailure: true },
  )
}, 1_000_000)
