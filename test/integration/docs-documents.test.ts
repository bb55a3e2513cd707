import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { previewJson } from '../../src/cli/json/preview.ts'
import { checkConfig } from '../../src/config/check.ts'
import { defineConfig } from '../../src/config/define.ts'
import { documentSchema } from '../../src/config/schema.ts'
import { type TestDatabase, testDatabase, testElasticsearch } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

/** docs/documents.md, run as it is written. */

const root = join(import.meta.dirname, '../..')
const page = await readFile(join(root, 'docs/documents.md'), 'utf8')

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
let database: TestDatabase
let place: Workspace
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(/```sql\n([^`]*)```/.exec(page)?.[1] ?? '')
  place = await workspace({ DATABASE_URL: database.url, ELASTICSEARCH_URL: elasticsearch.url })
})
afterAll(async () => {
  await place.remove()
  await elasticsearch.drop()
  await database.drop()
})

describe('the page about documents', () => {
  test('has an example of every key of a definition', () => {
    const all = page.match(/```ts\n[\s\S]*?```\n/g)?.join('\n') ?? ''
    const mentioned = (key: string) => new RegExp(`\\b${key}:`).test(all)
    // The test's Elasticsearch has no ingest pipelines that do anything.
    const keys = Object.keys(documentSchema.shape).filter((key) => key !== 'pipeline')
    expect(keys.filter((key) => !mentioned(key))).toEqual([])
    const ofRelations = 'one many on through where orderBy limit nested flatten fields relations to'.split(
      ' ',
    )
    expect(ofRelations.filter((key) => !mentioned(key))).toEqual([])
    expect(examples).toHaveLength(9)
  })

  test.each(examples)('previews $document $id as it says', async ({ definition, document, id, json }) => {
    const prefixed = definition.replace(/index: '/, `index: '${elasticsearch.prefix}`)
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

  test('shows every key outside of documents', async () => {
    const whole = /```ts whole\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
    const config: unknown = new Function('defineConfig', whole.replace('export default', 'return'))(
      defineConfig,
    )
    expect(checkConfig(config).problems).toEqual([])
    const shown = config as Readonly<Record<string, Readonly<Record<string, unknown>>>>
    expect(Object.keys(shown.limits ?? {})).toHaveLength(8)
    expect(Object.keys(shown)).toEqual([
      'connection',
      'limits',
      'schema',
      'instance',
      'logLevel',
      'documents',
    ])
  })
})
