import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { previewJson } from '../../src/answers/json/preview.ts'
import { checkConfig } from '../../src/config/check.ts'
import { defineConfig, sql } from '../../src/config/define.ts'
import {
  adminSchema,
  alertsSchema,
  brakeSchema,
  configSchema,
  connectionSchema,
  documentSchema,
  limitsSchema,
  relationSchema,
  throughSchema,
} from '../../src/config/schema.ts'
import { type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

/** docs/documents.md, run as it is written. */

const root = join(import.meta.dirname, '../..')
const page = await readFile(join(root, 'docs/documents.md'), 'utf8')

type Definitions = Readonly<Record<string, Record<string, unknown>>>

function objectsOf(part: Readonly<Record<string, unknown>>, key: string): Record<string, unknown>[] {
  const value = part[key]
  return typeof value === 'object' && value !== null ? [value as Record<string, unknown>] : []
}

/** The relations of a document or relation, to any depth. */
function relationsOf(part: Readonly<Record<string, unknown>>): Record<string, unknown>[] {
  const own = objectsOf(part, 'relations').flatMap((all) =>
    Object.keys(all).flatMap((name) => objectsOf(all, name)),
  )
  return [...own, ...own.flatMap(relationsOf)]
}

interface Example {
  readonly definition: string
  readonly document: string
  readonly id: string
  readonly json: string
}

const examples: readonly Example[] = [
  ...page.matchAll(
    /```ts\n([^`]*(?:`[^`]+`[^`]*)*)```\n\n`sluice preview (\w+) (\S+)`\n\n```json\n([^`]*)```/g,
  ),
].map(([, definition = '', document = '', id = '', json = '']) => ({ definition, document, id, json }))

const elasticsearch = testElasticsearch()
const pipeline = `/_ingest/pipeline/${elasticsearch.prefix}enrich`
let database: TestDatabase
let place: Workspace
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(/```sql\n([^`]*)```/.exec(page)?.[1] ?? '')
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
  // The test's Elasticsearch has no processors.
  await elasticsearch.request('PUT', pipeline, { processors: [] })
})
afterAll(async () => {
  await elasticsearch.request('DELETE', pipeline)
  await place.remove()
  await elasticsearch.drop()
  await database.drop()
})

describe('the page about documents', () => {
  test('has an example of every key of a definition', () => {
    const definitions = examples.map(({ definition, document }): Record<string, unknown> => {
      const read = new Function('sql', `return { ${definition} }`) as (of: typeof sql) => Definitions
      return read(sql)[document] ?? {}
    })
    const relations = definitions.flatMap(relationsOf)
    const keysOf = (all: readonly object[]) => [...new Set(all.flatMap(Object.keys))].sort()
    const inAll = (key: string) => [...definitions, ...relations].flatMap((part) => objectsOf(part, key))
    expect(keysOf(definitions)).toEqual(Object.keys(documentSchema.shape).sort())
    expect(keysOf(relations)).toEqual(Object.keys(relationSchema.shape).sort())
    expect(keysOf(inAll('through'))).toEqual(Object.keys(throughSchema.shape).sort())
    expect(keysOf(inAll('brake'))).toEqual(Object.keys(brakeSchema.shape).sort())
    expect(examples).toHaveLength(9)
  })

  test.each(examples)('previews $document $id as it says', async ({ definition, document, id, json }) => {
    const prefixed = definition.replace(/(index|pipeline): '/g, `$1: '${elasticsearch.prefix}`)
    await place.write(
      'sluice.config.ts',
      `import { defineConfig, sql } from '${join(root, 'src/index.ts')}'
       void sql
       export default defineConfig({ documents: { ${prefixed} } })`,
    )
    const installed = await place.sluice(['install', '--no-backfill'])
    expect(installed.stderr + installed.stdout).toContain(`Installed: ${document}`)
    const { value } = await place.json(['preview', document, id])
    const { document: shown, problem, from } = previewJson.parse(value)
    expect({ shown, problem, from }).toEqual({ shown: JSON.parse(json), problem: null, from: 'installed' })
    expect((await place.sluice(['uninstall', document, '--yes'])).code).toBe(0)
  })

  test('shows every key outside of documents', () => {
    const shown = [...page.matchAll(/```ts whole\n([\s\S]*?)```/g)].map(([, whole = '']) => {
      const config: unknown = new Function('defineConfig', whole.replace('export default', 'return'))(
        defineConfig,
      )
      expect(checkConfig(config).problems).toEqual([])
      return config as Readonly<Record<string, Readonly<Record<string, unknown>>>>
    })
    const keysOf = (name: string) => new Set(shown.flatMap((config) => Object.keys(config[name] ?? {})))
    expect(new Set(shown.flatMap(Object.keys))).toEqual(
      // schedules.md has those.
      new Set(Object.keys(configSchema.shape).filter((key) => key !== 'schedules')),
    )
    expect(keysOf('limits')).toEqual(new Set(Object.keys(limitsSchema.shape)))
    expect(keysOf('admin')).toEqual(new Set(Object.keys(adminSchema.shape)))
    expect(keysOf('alerts')).toEqual(new Set(Object.keys(alertsSchema.shape)))
    expect(keysOf('connection')).toEqual(new Set(Object.keys(connectionSchema.shape)))
  })
})
