import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ReindexAsked } from '../../src/capture/document-change.ts'
import type { DocumentDefinition } from '../../src/config/types.ts'
import { eventually } from '../support/eventually.ts'
import { type ReindexWorld, reindexWorld } from './reindex-world.ts'

/** Definitions that a living index cannot become, and an index that has the alias' name. The tests follow each other. */

let world: ReindexWorld
let alias: string
const asked: ReindexAsked = { options: {}, requestedBy: 'test' }
const n = (type: string): Partial<DocumentDefinition> => ({ mappings: { properties: { n: { type } } } })
const definitions = (more: Partial<DocumentDefinition> = {}) => ({
  thing: { table: 'thing', index: alias, ...more },
  other: { table: 'other', index: `${alias}-other` },
})
const live = async () => (await world.roles('thing')).live?.[0] ?? ''
const field = async (index: string, name: string) =>
  ((await world.elasticsearch.getMappings(index)).properties as Record<string, unknown>)[name]

beforeAll(async () => {
  world = await reindexWorld()
  alias = `${world.server.prefix}thing`
  await world.database.pool.query(`
    CREATE TABLE thing (id bigint PRIMARY KEY, name text, n int, extra text);
    CREATE TABLE other (id bigint PRIMARY KEY);
    INSERT INTO thing SELECT i, 'thing ' || i, i, 'x' FROM generate_series(1, 50) i`)
  const fields = ['id', 'name', 'n']
  await world.install(definitions({ fields }))
  world.instance(definitions({ fields }), 'old')
  await world.ended('1')
  await world.indexed('thing', alias)
  await world.stop()
})
afterAll(() => world.drop())

describe('a field of another type', () => {
  test('install says that it takes a reindex and why, leaves the document alone and installs the others', async () => {
    const before = await world.value(`SELECT hash FROM sluice.sync_document WHERE name = 'thing'`)
    const changed = { ...definitions(n('keyword')), third: { table: 'other', index: `${alias}-third` } }
    const { plan } = await world.install(changed)
    expect(plan.reindexes).toEqual([
      {
        document: 'thing',
        why: expect.stringMatching(/^mappings: field n would change from .*integer.* to .*keyword/),
      },
    ])
    expect(plan.steps.map(({ document }) => document)).not.toContain('thing')
    expect(await world.value(`SELECT hash FROM sluice.sync_document WHERE name = 'thing'`)).toBe(before)
    expect((await world.roles('third')).live).toHaveLength(1)
    await world.uninstall('third')
  })

  test('a reindex installs it; meanwhile new fields are added to the living index, and what it refuses goes with it', async () => {
    const before = await live()
    const changed = definitions({ ...n('keyword'), fields: ['id', 'name', 'n', 'extra'] })
    const { runs } = await world.install(changed, { reindex: asked, only: 'thing' })
    expect(runs).toMatchObject([{ kind: 'reindex', document: 'thing' }])
    // Under way is one at a time: whoever comes second gets nothing installed.
    const second = world.install(definitions(n('text')), { reindex: asked, only: 'thing' })
    await expect(second).rejects.toThrow(`run ${runs[0]?.id} is under way, so nothing was installed`)
    expect(await field(before, 'extra')).toMatchObject({ type: 'text' })
    expect(await field(before, 'n')).toMatchObject({ type: 'integer' })

    world.instance(changed, 'new')
    expect(await world.ended(runs[0]?.id ?? '')).toMatchObject({ state: 'done', error: null })
    const after = await live()
    expect(await field(after, 'n')).toMatchObject({ type: 'keyword' })
    await world.database.pool.query(`UPDATE thing SET name = 'later' WHERE id = 2`)
    await world.drained()
    expect(await world.differences('thing', after)).toEqual([])
    expect((await world.install(changed)).plan).toMatchObject({ steps: [], reindexes: [] })
  })

  test('after a rollback the definition of now takes a reindex, and that of the index does not', async () => {
    const changed = definitions({ ...n('keyword'), fields: ['id', 'name', 'n', 'extra'] })
    await world.ended(await world.request('thing', { rollback: true }))
    const { plan } = await world.install(changed)
    expect(plan.reindexes).toMatchObject([{ document: 'thing', why: expect.stringContaining('was undone') }])
    const back = await world.install(definitions({ fields: ['id', 'name', 'n'] }), { dryRun: true })
    expect(back.plan.reindexes).toEqual([])
    expect(back.plan.steps.map(({ what }) => what)).toContain('definition of thing')
    await world.ended(await world.request('thing', { rollback: true }))
  })

  test('a new index that refuses too much is not swapped in', async () => {
    await world.stop()
    const before = await live()
    // Names are no numbers.
    const wrong = definitions({
      mappings: { properties: { name: { type: 'long' }, n: { type: 'keyword' } } },
    })
    const { runs } = await world.install(wrong, { reindex: asked, only: 'thing' })
    world.instance(wrong, 'wrong')
    expect(await world.ended(runs[0]?.id ?? '')).toMatchObject({
      state: 'failed',
      error: expect.stringMatching(
        /the new index refused 50 of 50 documents that the living one has, most with .*name/,
      ),
    })
    expect(await world.pointsTo(alias)).toEqual([before])
    await eventually(async () => expect((await world.roles('thing')).retired).toBeUndefined())
    // The definition is installed, and its index is not: both are said, until either is put right.
    expect((await world.install(wrong)).plan.reindexes).toMatchObject([{ document: 'thing' }])
    expect(await world.value(`SELECT count(*)::int FROM sluice.sync_failed WHERE target <> ''`)).toBe(0)
    await world.stop()
  })

  test('another key or another name takes more than a reindex', async () => {
    const id = world.install(definitions({ id: ['n'] }), { reindex: asked })
    await expect(id).rejects.toThrow(/id: /)
    const other = { ...definitions(), thing: { table: 'thing', index: `${alias}-2` } }
    await expect(world.install(other, { reindex: asked })).rejects.toThrow('cannot move to')
  })
})

describe('an index that has the name of the alias', () => {
  let name: string
  const adopting = () => ({ taken: { table: 'thing', index: name } })
  const adopt: ReindexAsked = { options: { adopt: true }, requestedBy: 'test' }

  beforeAll(async () => {
    name = `${world.server.prefix}taken`
    await world.server.request('PUT', `/${name}/_doc/1?refresh=true`, { id: 1, name: 'not ours' })
  })

  test('is refused by install, which says how it is adopted', async () => {
    await expect(world.install({ ...definitions(), ...adopting() })).rejects.toMatchObject({
      message: expect.stringContaining(`${name} is an index already`),
      remedy: expect.stringContaining('sluice reindex taken --adopt'),
    })
    expect(await world.value(`SELECT count(*)::int FROM sluice.sync_document WHERE name = 'taken'`)).toBe(0)
  })

  test('is not taken over while someone else writes to it', async () => {
    const { runs } = await world.install(adopting(), { reindex: adopt, only: 'taken' })
    const id = runs[0]?.id ?? ''
    const daemon = world.instance(adopting(), 'adopter')
    await eventually(async () => (await world.roles('taken')).building?.length === 1)
    await world.server.request('PUT', `/${name}/_doc/2?refresh=true`, { id: 2 })
    expect(await world.ended(id)).toMatchObject({
      state: 'failed',
      error: expect.stringMatching(/someone else writes to the index .*: 1 operations/),
    })
    expect((await world.elasticsearch.aliasTargets(name)).concrete).toBe(true)
    await daemon.stop()
  })

  test('becomes the alias of a new index in one moment, and is gone', async () => {
    await expect(world.request('taken')).rejects.toMatchObject({
      remedy: expect.stringContaining('--adopt'),
    })
    const id = await world.request('taken', { adopt: true })
    world.instance(adopting(), 'adopter 2')
    let stopped = false
    let moments = 0
    let before = 200
    const bad: unknown[] = []
    const searching = (async () => {
      while (!stopped || before === 503) {
        const answer = (await world.server.request('POST', `/${name}/_search`, {})) as {
          hits?: { total: { value: number } }
          status?: number
        }
        // What is under way in this very moment may lose its shard, some in a row, until one is answered again. None finds
        // nothing, or no such index.
        const status = answer.status ?? 200
        if (status === 503 && before !== 503) moments++
        if (status !== 503 && (answer.hits?.total.value ?? 0) === 0) bad.push(answer)
        before = status
      }
    })()
    expect(await world.ended(id)).toMatchObject({ state: 'done', error: null })
    stopped = true
    await searching
    expect(bad).toEqual([])
    expect(moments).toBeLessThanOrEqual(1)
    const [index] = await world.pointsTo(name)
    expect(await world.roles('taken')).toMatchObject({ live: [index] })
    await world.drained()
    expect(await world.differences('thing', index ?? '')).toEqual([])
  })
})
