import { beforeAll, describe, expect, it } from 'vitest'
import { indexNameProblem } from '../../src/config/index-name.ts'
import type { Elasticsearch } from '../../src/elasticsearch/client.ts'
import { physicalName, templateName } from '../../src/elasticsearch/names.ts'
import { ConfigError, FailedError, IncompleteError } from '../../src/errors.ts'
import { eventually, type TestElasticsearch } from '../support/context.ts'
import { type ContractWorld, mappings, put, remove } from './elasticsearch-contract-world.ts'

/** Indices, the template that guards their names, and merges. */
export function describeIndices(world: ContractWorld): void {
  const { newName, newIndex, bulk, exists } = world
  let test: TestElasticsearch
  let client: Elasticsearch
  let alias: string

  beforeAll(() => {
    test = world.test
    client = world.client
    alias = world.alias
  })

  describe('indices', () => {
    it('are made with alias, mappings and settings, and known by their UUID', async () => {
      const name = newName()
      const ours = `${test.prefix}made`
      expect(await client.aliasTargets(ours)).toEqual({ indices: [], concrete: false })
      const settings = { number_of_replicas: 0, index: { max_result_window: 20_000 } }
      const { uuid } = await client.createIndex({ name, alias: ours, mappings, settings })
      expect(await client.indexUuid(name)).toBe(uuid)
      expect(await client.indexUuid(ours)).toBeNull()
      expect(await client.aliasTargets(ours)).toEqual({ indices: [name], concrete: false })
      expect(await client.aliasTargets(name)).toEqual({ indices: [], concrete: true })
      expect(await client.getMappings(name)).toEqual(mappings)
      expect(await client.getSettings(name)).toMatchObject({
        'index.gc_deletes': '1h',
        'index.max_result_window': '20000',
        'index.number_of_replicas': '0',
        'index.uuid': uuid,
      })
    })

    it('get dynamic settings back to the server’s own, and count what is written to them', async () => {
      const like = newName()
      await client.createIndex({ name: like, mappings, settings: {}, unattended: true })
      const loading = { number_of_replicas: 0, refresh_interval: '-1', auto_expand_replicas: 'false' }
      const name = newName()
      await client.createIndex({ name, mappings, settings: loading })
      expect(await client.awaitShards(name, { shards: 'primaries', timeoutMs: 5_000 })).toBe(true)
      await client.putSettings(name, {
        'index.number_of_replicas': null,
        'index.refresh_interval': null,
        'index.auto_expand_replicas': null,
      })
      const dynamic = ({ ...settings }: Readonly<Record<string, unknown>>) => [
        settings['index.number_of_replicas'],
        settings['index.refresh_interval'],
        settings['index.auto_expand_replicas'],
      ]
      expect(dynamic(await client.getSettings(name))).toEqual(dynamic(await client.getSettings(like)))
      // A single node can hold no copies: they are not waited for.
      expect(await client.awaitShards(name, { shards: 'all', timeoutMs: 5_000 })).toBe(true)
      expect(await client.countWrites(name)).toBe(0)
      await bulk(5n, put(name, 'a'), remove(name, 'b'))
      expect(await client.countWrites(name)).toBe(2)
    })

    it('say that their shards have no place', async () => {
      const name = newName()
      const nowhere = { 'index.routing.allocation.require.box': 'none' }
      await client.createIndex({ name, mappings, settings: nowhere, unattended: true })
      expect(await client.awaitShards(name, { shards: 'primaries', timeoutMs: 200 })).toBe(false)
      // It may go well later, and no run fails for it.
      const look = client.existing([{ index: name, id: 'a' }])
      await expect(look).rejects.toBeInstanceOf(IncompleteError)
      const missing = client.existing([{ index: newName(), id: 'a' }])
      await expect(missing).rejects.not.toBeInstanceOf(IncompleteError)
    })

    it('change aliases all at once, with all they say, and an index becomes an alias', async () => {
      const [before, after] = [await newIndex(), await newIndex()]
      const [moved, taken] = [`${test.prefix}moved`, `${test.prefix}taken`]
      const says = { filter: { term: { name: 'x' } }, index_routing: '1', search_routing: '2' }
      await client.changeAliases([{ kind: 'add', index: before, alias: moved, says }])
      expect(await client.aliasesOf(before)).toEqual(new Map([[moved, says]]))
      await client.createIndex({ name: taken, mappings, settings: {} })
      await client.changeAliases([
        { kind: 'remove', index: before, alias: moved },
        { kind: 'add', index: after, alias: moved, says },
        { kind: 'remove_index', index: taken },
        { kind: 'add', index: after, alias: taken, says: {} },
      ])
      expect(await client.aliasesOf(before)).toEqual(new Map())
      expect((await client.aliasesOf(after)).get(moved)).toEqual(says)
      expect(await client.aliasTargets(taken)).toEqual({ indices: [after], concrete: false })
      await expect(client.aliasesOf(`${test.prefix}no-such`)).rejects.toThrow('there is no index')
    })

    it('show what of them never goes back: UUID, aliases, history and last operation of each shard, versions', async () => {
      const index = await newIndex({ number_of_shards: 1 })
      const last = 1_800_000_000_000_007n
      for (const [id, version] of [
        ['a', last - 7n],
        ['b', last],
        ['c', last - 3n],
      ] as const)
        await bulk(version, put(index, id, { name: id, parts: [{ n: 1 }] }))
      await client.refresh(index)
      expect(await client.indexStates(`${alias}-2*-*`)).toHaveProperty('size')
      const state = (await client.indexStates(index)).get(index)
      expect(state?.uuid).toBe(await client.indexUuid(index))
      expect(state?.shards).toEqual({ '0': { history: expect.stringMatching(/^\S{10,}$/), checkpoint: 2 } })
      expect((await client.indexAliases(index)).get(index)).toEqual([])
      const ranges = [
        { first: 1n, last: 5n },
        { first: last - 4n, last: last - 1n },
      ]
      expect(await client.highestVersions(index, ranges)).toEqual({ highest: last, within: last - 3n })
      expect(await client.highestVersions(`${index},${newName()}`, [])).toEqual({
        highest: last,
        within: null,
      })
      expect(await client.highestVersions(newName(), ranges)).toEqual({ highest: null, within: null })
    })

    it('take a user’s setting over ours', async () => {
      const index = await newIndex({ index: { gc_deletes: '2h' } })
      expect(await client.getSettings(index)).toMatchObject({ 'index.gc_deletes': '2h' })
    })

    it('can be sorted by a field', async () => {
      const name = newName()
      const settings = { 'index.sort.field': 'name', number_of_replicas: 0 }
      await client.createIndex({ name, mappings: { properties: { name: { type: 'keyword' } } }, settings })
      expect(await bulk(5n, put(name, 'a'))).toMatchObject([{ outcome: 'done' }])
    })

    it('are refused with the configuration’s fault named', async () => {
      const bad = { properties: { name: { type: 'no_such_type' } } }
      await expect(client.createIndex({ name: newName(), mappings: bad, settings: {} })).rejects.toThrow(
        /no_such_type/,
      )
      await expect(
        client.createIndex({ name: newName(), mappings, settings: { no_such: 1 } }),
      ).rejects.toThrow(ConfigError)
      const existing = await newIndex()
      await expect(client.createIndex({ name: existing, mappings, settings: {} })).rejects.toThrow(
        /already exists/,
      )
    })

    it('take more fields, but not other types', async () => {
      const index = await newIndex()
      await client.putMappings(index, { properties: { slug: { type: 'keyword' } } })
      expect(await client.getMappings(index)).toMatchObject({
        properties: { slug: { type: 'keyword' }, name: { type: 'keyword' } },
      })
      await expect(client.putMappings(index, { properties: { name: { type: 'long' } } })).rejects.toThrow(
        ConfigError,
      )
    })

    it('are dropped, also when they are not there', async () => {
      const index = await newIndex()
      await client.deleteIndex(index)
      await client.deleteIndex(index)
      expect(await exists(index)).toBe(false)
    })

    it('that are missing are errors that name them', async () => {
      const missing = newName()
      await expect(client.getSettings(missing)).rejects.toThrow(FailedError)
      await expect(client.getMappings(missing)).rejects.toThrow(missing)
      await expect(client.get(missing, 'a')).rejects.toThrow(missing)
      await expect(client.count(missing)).rejects.toThrow(missing)
      await expect(client.refresh(missing)).rejects.toThrow(missing)
      await expect(client.listDocuments(missing).next()).rejects.toThrow(missing)
    })

    it('may have exactly the names that sluice lets pass', async () => {
      const names = [
        'a',
        'a.b',
        'a+b',
        'é',
        'Ab',
        'a b',
        'a/b',
        'a\\b',
        'a*',
        'a?',
        'a"',
        'a<',
        'a>',
        'a|',
        'a,b',
        'a#',
        'a:b',
        'A',
      ]
      for (const suffix of names) {
        const name = `${test.prefix}${suffix}`
        const answer = await test.request('PUT', `/${encodeURIComponent(name)}`, {})
        expect([name, indexNameProblem(name) === null]).toEqual([
          name,
          (answer as { acknowledged?: boolean }).acknowledged === true,
        ])
      }
      for (const name of ['-a', '_a', '+a', '.', '..']) expect(indexNameProblem(name)).not.toBeNull()
    })
  })

  describe('the template', () => {
    it('stands beside that of a name that begins alike', async () => {
      const longer = `${alias}-2d`
      await client.putTemplate(longer)
      await client.putTemplate(alias)
      const [one, two] = [physicalName(longer, new Date(), 'x'), physicalName(alias, new Date(), 'x')]
      expect(await bulk(5n, put(one, 'a'), put(two, 'a'))).toMatchObject([
        { outcome: 'blocked' },
        { outcome: 'blocked' },
      ])
      await client.createIndex({ name: one, alias: longer, mappings, settings: { number_of_replicas: 0 } })
      expect(await bulk(5n, put(one, 'a'))).toMatchObject([{ outcome: 'done' }])
      await client.deleteTemplate(longer)
      await client.deleteTemplate(longer)
    })

    it('of a user is left alone', async () => {
      const theirs = `${test.prefix}theirs`
      const path = `/_index_template/${templateName(theirs)}`
      await test.request('PUT', path, { index_patterns: [`${theirs}-nothing`] })
      await expect(client.putTemplate(theirs)).rejects.toThrow(ConfigError)
      await expect(client.deleteTemplate(theirs)).rejects.toThrow(ConfigError)
      expect(await test.request('GET', path)).toMatchObject({
        index_templates: [{ name: templateName(theirs) }],
      })
      await test.request('DELETE', path)
    })

    it('beats a wider one of the user’s', async () => {
      const path = `/_index_template/${test.prefix}wide`
      await test.request('PUT', path, { index_patterns: [`${alias}*`], priority: 500 })
      const name = newName()
      expect(await bulk(5n, put(name, 'a'))).toMatchObject([{ outcome: 'blocked' }])
      expect(await exists(name)).toBe(false)
      await test.request('DELETE', path)
    })
  })

  describe('a merge', () => {
    const ended = (index: string, task: string) =>
      eventually(async () => {
        const state = await client.mergeState(index, task)
        return state === 'running' ? null : state
      })

    // What a merge takes off the disk is seen in optimize.test.ts: copies of a shard retain deletes for 30 seconds.
    it('is a task that can be asked about, and leaves what the versions of deleted documents refuse', async () => {
      const index = await newIndex()
      const ids = Array.from({ length: 20 }, (_, n) => String(n))
      await bulk(5n, ...ids.map((id) => put(index, id)))
      await bulk(6n, ...ids.slice(5).map((id) => remove(index, id)))
      await client.refresh(index)
      const size = await client.indexSize(index)
      expect(size).toMatchObject({
        documents: 5,
        deleted: expect.any(Number),
        segments: expect.any(Number),
      })
      expect(size.deleted).toBeGreaterThanOrEqual(15)
      expect(size.bytes).toBeGreaterThan(0)
      await client.flush(index)
      expect(await ended(index, await client.startMerge(index))).toBe('done')
      expect(await bulk(5n, put(index, '19'))).toEqual([{ outcome: 'superseded', stored: 6n }])
    })

    it('of which the server knows nothing is unknown, and one that it refuses is an error that says why', async () => {
      const index = await newIndex({ 'index.blocks.read_only': true })
      const task = await client.startMerge(index)
      const failure = await eventually(async () => {
        const seen: unknown = await client.mergeState(index, task).catch((error: unknown) => error)
        return seen instanceof Error ? seen : null
      })
      expect(failure).toBeInstanceOf(FailedError)
      expect(String(failure)).toMatch(/blocked/)
      expect(await client.mergeState(index, 'oTUltX4IQMOUUVeiohTt8A:124')).toBe('unknown')
      await expect(client.indexSize(`${alias}-missing`)).rejects.toThrow(/no such index|there is no index/)
      await test.request('PUT', `/${index}/_settings`, { 'index.blocks.read_only': false })
    })
  })
}
