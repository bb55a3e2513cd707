import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Sources } from '../../src/config/load.ts'
import type { DocumentDefinition, Settings } from '../../src/config/types.ts'

// Each load is in a process of its own, by Node alone: vitest would import the configurations its own way, with other
// errors for bad ones.

const env = { DATABASE_URL: 'postgres://me:secret@localhost/shop', ELASTICSEARCH_URL: 'https://search:9200' }
const city = { table: 'geo.city', index: 'cities' }
const cityText = `{ documents: { city: { table: 'geo.city', index: 'cities' } } }`

let cwd: string
beforeEach(async () => {
  cwd = await realpath(await mkdtemp(join(tmpdir(), 'sluice-config-')))
})
afterEach(() => rm(cwd, { recursive: true }))

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(cwd, name, '..'), { recursive: true })
    await writeFile(join(cwd, name), text)
  }
}

type Loader = 'loadSettings' | 'loadBaseSettings' | 'loadDefinitions'

const script = `
  import * as loaders from ${JSON.stringify(import.meta.resolve('../../src/config/load.ts'))}
  import { ConfigError, describeError } from ${JSON.stringify(import.meta.resolve('../../src/errors.ts'))}
  const [loader, sources] = JSON.parse(process.argv[1])
  const plain = (_, value) => value instanceof Map ? Object.fromEntries(value) : value
  try {
    const value = await loaders[loader](sources)
    console.log(JSON.stringify({ value, BATCH_SIZE: process.env.BATCH_SIZE }, plain))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.log(JSON.stringify({ message: describeError(error) }))
  }`

/** Settings after a trip through JSON. */
interface Loaded extends Omit<Settings, 'documents'> {
  readonly documents: Readonly<Record<string, DocumentDefinition>>
}

interface Answer {
  readonly value: Loaded
  readonly message?: string
  readonly BATCH_SIZE?: string
}

async function answerOf(loader: Loader, sources: Partial<Sources>): Promise<Answer> {
  const input = JSON.stringify([loader, { env, cwd, ...sources }])
  const options = { env: { PATH: process.env.PATH } }
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script, input],
    options,
  )
  return JSON.parse(stdout)
}

async function load(sources: Partial<Sources> = {}, loader: Loader = 'loadSettings') {
  const { value, message } = await answerOf(loader, sources)
  expect(message).toBeUndefined()
  return value
}

/** What a user reads, with the temporary folder left out. */
async function complaint(sources: Partial<Sources> = {}): Promise<string | undefined> {
  return (await answerOf('loadSettings', sources)).message?.replaceAll(cwd, '.')
}

describe('a configuration file', () => {
  it.each([
    ['sluice.config.ts', `const config: { documents: unknown } = ${cityText}\nexport default config`],
    ['sluice.config.mts', `export default ${cityText} as const`],
    ['sluice.config.mjs', `export default ${cityText}`],
    ['sluice.config.json', JSON.stringify({ documents: { city } })],
  ])('%s', async (name, text) => {
    await write({ [name]: text })
    const settings = await load()
    expect(settings.file).toBe(join(cwd, name))
    expect(settings.documents).toEqual({ city })
  })

  it('sluice.config.js, in a package of modules and in one of CommonJS', async () => {
    await write({ 'package.json': '{"type":"module"}', 'sluice.config.js': `export default ${cityText}` })
    expect((await load()).documents).toHaveProperty('city')
    await write({
      'cjs/package.json': '{"type":"commonjs"}',
      'cjs/sluice.config.js': `module.exports = ${cityText}`,
    })
    expect((await load({ cwd: join(cwd, 'cjs') })).documents).toHaveProperty('city')
  })

  it('may be named, relative to the working directory', async () => {
    await write({ 'sluice.config.json': '{}', 'other/any.json': JSON.stringify({ documents: { city } }) })
    expect((await load({ configFile: 'other/any.json' })).file).toBe(join(cwd, 'other/any.json'))
  })

  it("may import 'sluice' where it is installed", async () => {
    await write({
      'sluice.config.ts': `import { defineConfig, sql } from 'sluice'
        export default defineConfig({ documents: { city: { table: 'city', index: 'cities', fields: { slug: sql('lower(name)') } } } })`,
      'node_modules/sluice/package.json': '{"name":"sluice","type":"module","exports":"./index.ts"}',
    })
    // A link, as npm link makes it: Node strips no types below node_modules.
    await write({
      'package/index.ts': `export * from ${JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))}`,
    })
    await symlink(join(cwd, 'package/index.ts'), join(cwd, 'node_modules/sluice/index.ts'))
    const { documents } = await load()
    expect(documents.city?.fields).toEqual({ slug: { sql: 'lower(name)' } })
  })
})

describe('a configuration file that cannot be used', () => {
  it('is not there', async () => {
    expect(await complaint()).toBe(
      'there is no sluice.config.ts (or .mts, .js, .mjs, .json) in .\n' +
        '  → sluice init proposes one from your database; --config names one elsewhere.',
    )
    expect(await complaint({ configFile: 'x.json' })).toBe(
      '--config: there is no such file: ./x.json\n' +
        '  → Name a configuration file, or leave --config out to use the one in this folder.',
    )
    expect(await complaint({ configFile: '.' })).toContain('--config: it is not a file')
  })

  it('is there twice', async () => {
    await write({ 'sluice.config.ts': '', 'sluice.config.json': '{}' })
    expect(await complaint()).toBe(
      'found ./sluice.config.ts and ./sluice.config.json, expected one of them\n' +
        '  → Remove the other, or name one with --config.',
    )
  })

  it.each([
    [
      'sluice.config.ts',
      'export default {\n  documents: {\n    city: { table: 1 index: 2 },\n  },\n}',
      /^\.\/sluice\.config\.ts:3: cannot be parsed: Expected ','/,
    ],
    [
      'sluice.config.mjs',
      'export default {\n  documents: {\n    city: { table: 1 index: 2 },\n  },\n}',
      /^\.\/sluice\.config\.mjs:3: cannot be parsed: /,
    ],
    [
      'sluice.config.ts',
      'enum A { B }\nexport default {}',
      /^\.\/sluice\.config\.ts:1: cannot be parsed: TypeScript enum/,
    ],
    [
      'sluice.config.ts',
      'const config: { a?: { b: string } } = {}\n\nexport default config.a.b',
      /^\.\/sluice\.config\.ts:3:25: fails when it is loaded: Cannot read properties of undefined/,
    ],
    [
      'sluice.config.mjs',
      "throw new Error('no luck')",
      /^\.\/sluice\.config\.mjs:1:7: fails when it is loaded: no luck/,
    ],
    [
      'sluice.config.mjs',
      "import './missing.js'",
      /^\.\/sluice\.config\.mjs: fails when it is loaded: Cannot find module '\.\/missing\.js'/,
    ],
    [
      'sluice.config.ts',
      "import { defineConfig } from 'sluice'\nexport default defineConfig({})",
      /^\.\/sluice\.config\.ts: imports 'sluice', which is not installed in this folder\n {2}→ Export a plain object instead/,
    ],
    [
      'sluice.config.ts',
      'export const config = {}',
      /^\.\/sluice\.config\.ts: exports no default\n {2}→ Write: export default/,
    ],
    ['sluice.config.json', '{\n  "documents": {},\n}', /^\.\/sluice\.config\.json:3:1: is not JSON: /],
    ['sluice.config.json', '{\n"documents": {', /^\.\/sluice\.config\.json(:2(:\d+)?)?: is not JSON: /],
    [
      'sluice.config.json',
      '{"documents": {"city": {}, "town": {}, "city": {}}}',
      /^documents\.city \(\.\/sluice\.config\.json\): given twice; JSON would drop the first/,
    ],
    [
      'sluice.config.ts',
      'export default { documents: { city: {}, town: {}, city: {} } }',
      /^documents\.city \(\.\/sluice\.config\.ts\): given twice; JavaScript would drop the first/,
    ],
  ])('%s: %j', async (name, text, message) => {
    await write({ [name]: text })
    expect(await complaint()).toMatch(message)
  })

  it('is a module by its syntax and CommonJS by its package', async () => {
    await write({ 'package.json': '{"type":"commonjs"}', 'sluice.config.ts': `export default ${cityText}` })
    expect(await complaint()).toBe(
      './sluice.config.ts: is taken for CommonJS, because package.json says so\n  → Rename it to sluice.config.mts.',
    )
  })
})

describe('the environment', () => {
  it('is read from .env, and the real one wins', async () => {
    await write({
      'sluice.config.json': JSON.stringify({ documents: { city } }),
      '.env': 'BATCH_SIZE=7\nCONCURRENCY=9\nMAX_RETRIES=4\n',
    })
    const { value, BATCH_SIZE } = await answerOf('loadSettings', {
      env: { ...env, CONCURRENCY: '3', MAX_RETRIES: '' },
    })
    expect(value.limits).toMatchObject({ batchSize: 7, concurrency: 3, maxRetries: 4 })
    // Read, not exported: what we start later does not inherit it.
    expect(BATCH_SIZE).toBeUndefined()
  })

  it('is checked together with the configuration', async () => {
    await write({
      'sluice.config.json': JSON.stringify({ documents: { City: city } }),
      '.env': 'BATCH_SIZE=x',
    })
    expect(await complaint({ env: { DATABASE_URL: 'postgres://localhost/shop' } })).toBe(
      [
        '2 problems in the settings and ./sluice.config.json:',
        '  documents.City: got "City", expected a document name: a lower-case letter, then lower-case letters, digits or "_", at most 40 in all',
        '  BATCH_SIZE: got "x" in .env, expected a whole number of keys from 1 to 100000 (default 1000)',
      ].join('\n'),
    )
  })

  it('must name both servers, or the configuration must', async () => {
    await write({ 'sluice.config.json': JSON.stringify({ documents: { city } }) })
    const message = await complaint({ env: {} })
    expect(message).toContain('DATABASE_URL: is missing, expected a URL such as postgres://')
    expect(message).toContain('ELASTICSEARCH_URL: is missing, expected a URL such as https://host:9200')
    expect(message).toContain('connection.elasticsearch in the configuration')
    const { elasticsearch } = await load({
      env: {},
      flags: { databaseUrl: 'postgres://localhost/shop', elasticsearchUrl: 'https://flag:9200' },
    })
    expect(elasticsearch.url).toBe('https://flag:9200')
  })

  it('names a file of certificates that can be read', async () => {
    await write({ 'sluice.config.json': JSON.stringify({ documents: { city } }), 'ca.pem': 'x' })
    expect((await load({ env: { ...env, ELASTICSEARCH_CA_FILE: 'ca.pem' } })).elasticsearch.caFile).toBe(
      join(cwd, 'ca.pem'),
    )
    expect(await complaint({ env: { ...env, ELASTICSEARCH_CA_FILE: 'no.pem' } })).toBe(
      'ELASTICSEARCH_CA_FILE: got "./no.pem", expected a PEM file that can be read (ENOENT)',
    )
  })

  it('in a configuration, a path starts at the file', async () => {
    const connection = { elasticsearchCaFile: 'ca.pem' }
    await write({
      'conf/sluice.json': JSON.stringify({ connection, documents: { city } }),
      'conf/ca.pem': 'x',
    })
    expect((await load({ configFile: 'conf/sluice.json' })).elasticsearch.caFile).toBe(
      join(cwd, 'conf/ca.pem'),
    )
  })
})

describe('what needs less', () => {
  it('the base settings need no file, no server and no documents', async () => {
    expect(await load({ env: {} }, 'loadBaseSettings')).toMatchObject({
      postgres: null,
      elasticsearch: null,
      file: null,
    })
    await write({ 'sluice.config.json': JSON.stringify({ schema: 'theirs', documents: { City: 1 } }) })
    expect(await load({}, 'loadBaseSettings')).toMatchObject({
      postgres: env.DATABASE_URL,
      schema: 'theirs',
      file: join(cwd, 'sluice.config.json'),
    })
  })

  it('the definitions need no server', async () => {
    await write({ 'sluice.config.json': JSON.stringify({ documents: { city } }) })
    expect(await load({ env: {} }, 'loadDefinitions')).toEqual({ city })
  })
})
