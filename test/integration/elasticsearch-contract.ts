import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { indexNameProblem } from '../../src/config/index-name.ts'
import { encodeBulk } from '../../src/elasticsearch/bulk.ts'
import { connectElasticsearch, type Elasticsearch } from '../../src/elasticsearch/client.ts'
import { physicalName, templateName } from '../../src/elasticsearch/names.ts'
import type { ItemVerdict, Operation } from '../../src/elasticsearch/types.ts'
import { ConfigError, FailedError, IncompleteError } from '../../src/errors.ts'
import { eventually, type TestElasticsearch, testElasticsearch } from '../support/context.ts'

const mappings = {
  dynamic: 'strict',
  properties: {
    name: { type: 'keyword' },
    population: { type: 'long' },
    parts: { type: 'nested', properties: { n: { type: 'long' } } },
  },
}

/** What sluice asks of a server, on whichever is given: one build works with them all. */
export function describeClient(
  title: string,
  server: () => { readonly url: string; readonly product: string; readonly version: RegExp },
): void {
  describe(title, () => {
    let test: TestElasticsearch
    let client: Elasticsearch
    let alias: string
    let serial = 0

    beforeAll(async () => {
      test = testElasticsearch(server().url)
      client = connectElasticsearch({ url: server().url }, { requestTimeoutMs: 30_000 })
      alias = `${test.prefix}cities`
      await client.putTemplate(alias)
    })
    afterAll(async () => {
      await client?.deleteTemplate(alias)
      await test?.drop()
      await client?.close()
    })

    const newName = (): string => physicalName(alias, new Date(), `n${serial++}`)
    const newIndex = async (settings = {}): Promise<string> => {
      const name = newName()
      await client.createIndex({ name, mappings, settings: { number_of_replicas: 0, ...settings } })
      return name
    }
    const put = (index: string, id: string, body: object = { name: id }): Operation => ({
      kind: 'index',
      index,
      id,
      key: id,
      body: JSON.stringify(body),
    })
    const remove = (index: string, id: string): Operation => ({ kind: 'delete', index, id, key: id })
    const bulk = async (version: bigint, ...operations: Operation[]): Promise<readonly ItemVerdict[]> => {
      const answer = await client.bulk(encodeBulk(operations, version), operations)
      if (answer.outcome !== 'answered') throw new Error(JSON.stringify(answer))
      return answer.items
    }
    const exists = async (index: string): Promise<boolean> => (await client.indexUuid(index)) !== null

    it('says what it is', async () => {
      const info = await client.info()
      expect(info).toEqual({ product: server().product, version: expect.stringMatching(server().version) })
      expect(await client.ping()).toMatchObject({ outcome: 'answered' })
    })

    describe('versions', () => {
      const version = 1_800_000_000_000_000n

      it('let an equal one win and an older one lose, which says what is stored', async () => {
        const index = await newIndex()
        expect(await bulk(version, put(index, 'a'))).toEqual([{ outcome: 'done', result: 'created' }])
        expect(await bulk(version, put(index, 'a'))).toEqual([{ outcome: 'done', result: 'updated' }])
        const lost = { outcome: 'superseded', stored: version }
        expect(await bulk(version - 1n, put(index, 'a'), remove(index, 'a'))).toEqual([lost, lost])
        expect(await client.get(index, 'a')).toMatchObject({ found: true, version: String(version) })
      })

      it('are kept to the last digit, beyond 2^53 too', async () => {
        const index = await newIndex()
        const large = 9_007_199_254_740_993n
        await bulk(large, put(index, 'a', { name: 'x', population: 1 }))
        expect(await client.get(index, 'a')).toMatchObject({ version: '9007199254740993' })
        expect(await bulk(large - 1n, put(index, 'a'))).toEqual([{ outcome: 'superseded', stored: large }])
        await bulk(2n ** 63n - 1n, put(index, 'a'))
        expect(await client.get(index, 'a')).toMatchObject({ version: '9223372036854775807' })
      })

      it('outlive a delete, of a document that was there or not', async () => {
        const index = await newIndex()
        await bulk(version, put(index, 'a'))
        expect(await bulk(version + 1n, remove(index, 'a'), remove(index, 'never'))).toEqual([
          { outcome: 'done', result: 'deleted' },
          { outcome: 'done', result: 'absent' },
        ])
        const lost = { outcome: 'superseded', stored: version + 1n }
        expect(await bulk(version, put(index, 'a'), put(index, 'never'))).toEqual([lost, lost])
        expect(await client.get(index, 'a')).toEqual({
          index,
          id: 'a',
          found: false,
          version: null,
          source: null,
        })
      })
    })

    it('gives each of many operations on several indices its own verdict', async () => {
      const [one, two] = [await newIndex(), await newIndex()]
      const operations = Array.from({ length: 1_000 }, (_, n) =>
        n % 10 === 9
          ? remove(two, String(n))
          : put(n % 2 ? one : two, String(n), n % 7 === 3 ? { population: 'SECRET' } : { name: 'x' }),
      )
      const verdicts = await bulk(5n, ...operations)
      expect(verdicts).toHaveLength(1_000)
      verdicts.forEach((verdict, n) => {
        if (n % 10 === 9) expect(verdict).toEqual({ outcome: 'done', result: 'absent' })
        else if (n % 7 === 3)
          expect(verdict).toMatchObject({
            outcome: 'dead',
            reason: 'failed to parse field [population] of type [long]: not a number',
          })
        else expect(verdict).toEqual({ outcome: 'done', result: 'created' })
      })
    })

    it('keeps ids and texts as they are', async () => {
      const index = await newIndex()
      const ids = ['a"b\\c', 'ünï/cødé ☃ 😀', 'a:b%3A', ' ', 'x'.repeat(512), '__proto__', 'tab\tnewline\n']
      await bulk(5n, ...ids.map((id) => put(index, id, { name: id })))
      for (const id of ids)
        expect(await client.get(index, id)).toMatchObject({ found: true, source: { name: id } })
      await client.refresh(index)
      const listed: string[] = []
      for await (const page of client.listDocuments(index)) listed.push(...page.map(({ id }) => id))
      expect(listed.sort()).toEqual(ids.sort())
    })

    it('refuses a request for one id that is too long, as a whole', async () => {
      const index = await newIndex()
      const operations = [put(index, 'good'), put(index, 'x'.repeat(513))]
      const answer = await client.bulk(encodeBulk(operations, 5n), operations)
      expect(answer).toMatchObject({
        outcome: 'refused',
        reason: 'id is too long, must be no longer than 512 bytes',
      })
    })

    describe('an index that cannot be written', () => {
      it('is not created by an operation when it is missing', async () => {
        const [one, two] = [newName(), newName()]
        const verdicts = await bulk(5n, put(one, 'a'), remove(two, 'a'))
        expect(verdicts.map(({ outcome }) => outcome)).toEqual(['blocked', 'blocked'])
        expect([await exists(one), await exists(two)]).toEqual([false, false])
      })

      it.each([
        ['read_only', true],
        ['read_only_allow_delete', true],
        ['write', true],
      ])('with index.blocks.%s is blocked, while others are written', async (block, value) => {
        const [blocked, other] = [await newIndex(), await newIndex()]
        await test.request('PUT', `/${blocked}/_settings`, { [`index.blocks.${block}`]: value })
        const [first, second] = await bulk(5n, put(blocked, 'a'), put(other, 'a'))
        expect(first).toMatchObject({
          outcome: 'blocked',
          type: 'cluster_block_exception',
          reason: expect.stringContaining(blocked),
        })
        expect(second).toMatchObject({ outcome: 'done' })
        await test.request('PUT', `/${blocked}/_settings`, { [`index.blocks.${block}`]: null })
        expect(await bulk(5n, put(blocked, 'a'))).toMatchObject([{ outcome: 'done' }])
      })

      it('is blocked while it is closed', async () => {
        const index = await newIndex()
        await test.request('POST', `/${index}/_close`)
        expect(await bulk(5n, put(index, 'a'), remove(index, 'a'))).toMatchObject([
          { outcome: 'blocked', type: 'index_closed_exception' },
          { outcome: 'blocked', type: 'index_closed_exception' },
        ])
        expect(await exists(index)).toBe(true)
      })

      it('charges nobody while its shard is away', async () => {
        const impatient = connectElasticsearch({ url: server().url }, { requestTimeoutMs: 2_000 })
        const name = newName()
        await test.request('PUT', `/${name}?wait_for_active_shards=0&timeout=1s`, {
          settings: {
            'index.routing.allocation.require.nowhere': 'x',
            ...(server().product === 'opensearch' ? { 'index.sort.field': [] } : {}),
          },
        })
        const operations = [put(name, 'a', { name: 'SECRET' })]
        const answer = await impatient.bulk(encodeBulk(operations, 5n), operations)
        expect(answer).toMatchObject({
          outcome: 'answered',
          items: [{ outcome: 'retry', charged: false, type: 'unavailable_shards_exception' }],
        })
        expect(JSON.stringify(answer)).not.toContain('SECRET')
        await impatient.close()
      })

      it('is blocked when its mapping is full and every document wants a field', async () => {
        const name = newName()
        await client.createIndex({
          name,
          mappings: {},
          settings: { 'index.mapping.total_fields.limit': 2, number_of_replicas: 0 },
        })
        const [verdict] = await bulk(5n, put(name, 'a', { a: 1, b: 2, c: 3, d: 4 }))
        expect(verdict).toMatchObject({
          outcome: 'blocked',
          reason: 'Limit of total fields [2] has been exceeded',
        })
      })
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

    describe('a listing', () => {
      /** Of this index: other tests have theirs on the same server. */
      const openContexts = async (index: string): Promise<number> => {
        const stats = await test.request('GET', `/${index}/_stats/search`)
        return (stats as { _all: { total: { search: { open_contexts: number } } } })._all.total.search
          .open_contexts
      }

      it('has every id once, nested documents aside, and frees its context whether read to the end or not', async () => {
        const index = await newIndex()
        const operations = Array.from({ length: 25_000 }, (_, n) =>
          put(index, String(n), { name: 'x', parts: [{ n }, { n }] }),
        )
        for (let n = 0; n < operations.length; n += 5_000) await bulk(5n, ...operations.slice(n, n + 5_000))
        await client.refresh(index)
        expect(await client.count(index)).toBe(25_000)

        const pages: string[][] = []
        for await (const page of client.listDocuments(index)) pages.push(page.map(({ id }) => id))
        expect(pages.map((page) => page.length)).toEqual([10_000, 10_000, 5_000])
        expect(new Set(pages.flat()).size).toBe(25_000)
        expect(await openContexts(index)).toBe(0)

        for await (const page of client.listDocuments(index)) {
          expect(page).toHaveLength(10_000)
          expect(await openContexts(index)).toBeGreaterThan(0)
          break
        }
        expect(await openContexts(index)).toBe(0)
      })

      it('of an empty index is empty', async () => {
        const index = await newIndex()
        expect(await client.listDocuments(index).next()).toEqual({ done: true, value: undefined })
      })

      it('at one moment are counted by their ids, whatever is written after it', async () => {
        const index = await newIndex({ number_of_shards: 2 })
        const nested = { name: 'n', parts: [{ n: 1 }, { n: 2 }] }
        await bulk(1n, ...['a', 'b', 'c'].map((id) => put(index, id, nested)))
        await client.refresh(index)
        const moment = await client.pointInTime(index)
        if (moment === null) throw new Error('no point in time')
        await bulk(2n, put(index, 'd'), remove(index, 'a'))
        await client.refresh(index)
        expect(await moment.count()).toEqual({ documents: 3, routed: 0 })
        expect(await moment.countIds(['a', 'b', 'd', 'x'])).toBe(2)
        expect(await moment.countIds([])).toBe(0)
        const newest = await moment.newest(10)
        expect(newest.map(({ id }) => id).sort()).toEqual(['a', 'b', 'c'])
        await moment.close()
        await expect(moment.count()).rejects.toThrow(IncompleteError)

        await bulk(3n, { ...put(index, 'e'), routing: 'r' })
        await client.refresh(index)
        const later = await client.pointInTime(index)
        expect(await later?.count()).toEqual({ documents: 4, routed: 1 })
        expect(await later?.newest(1)).toHaveLength(1)
        await later?.close()
        await expect(client.pointInTime(`${index}-none`)).rejects.toThrow(/index_not_found/)
      })
    })
  })
}
