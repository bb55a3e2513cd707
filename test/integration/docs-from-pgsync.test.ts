import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { type CommandWorld, commandWorld } from './cli-support.ts'

/** docs/from-pgsync.md, run as it is written: from a schema file to documents. */

const page = await readFile(join(import.meta.dirname, '../../docs/from-pgsync.md'), 'utf8')
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([^\`]*)\`\`\``, 'g'))].map(([, block = '']) => block)

let world: CommandWorld
beforeAll(async () => {
  world = await commandWorld()
  await world.db.pool.query(blocks('sql')[0] ?? '')
  const index = `${world.search.prefix}pets`
  const schema = blocks('json')[0] ?? ''
  await world.place.write(
    'schema.json',
    schema.replace('"clinic"', JSON.stringify(world.db.url.split('/').at(-1))),
  )
  await world.place.write('prefixed.json', schema.replace('"pets"', `"${index}"`))
})
afterAll(() => world.drop())

test('the command prints and writes what the page says', async () => {
  const [command = ''] = blocks('sh')
  const { code, stdout, stderr } = await world.place.sluice(command.trim().split(' ').slice(1))
  expect(stderr).toBe('')
  expect(stdout).toBe(blocks('text')[0])
  expect(code).toBe(3)
  const written = await readFile(join(world.place.folder, 'sluice.config.ts'), 'utf8')
  expect(written).toBe(blocks('ts')[0])
})

test('the documents are as the page shows', async () => {
  const { place, search } = world
  expect((await place.sluice(['init', '--force', '--from-pgsync', 'prefixed.json'])).code).toBe(3)
  const commands = (blocks('sh')[1] ?? '').trim().split('\n')
  expect(commands).toEqual(['sluice check', 'sluice install', 'sluice run'])
  // Nothing is installed: there is something to do.
  expect((await place.sluice(['check'])).code).toBe(3)
  expect((await place.sluice(['install'])).code).toBe(0)
  const daemon = place.start(['run'])
  const expected: unknown = JSON.parse(blocks('json')[1] ?? '')
  await eventually(
    async () =>
      expect(await search.request('GET', `/${search.prefix}pets/_doc/7`)).toMatchObject({
        _source: expected,
      }),
    { describe: () => daemon.output() },
  )
  // A document has one run at a time: a verify is not taken before the first backfill has ended.
  await eventually(async () => {
    const { rows } = await world.db.pool.query("SELECT FROM sluice.sync_run WHERE state <> 'done'")
    return rows.length === 0
  })
  // The document is called after its index.
  const name = `${search.prefix.replace('-', '_')}pets`
  for (const command of ['sluice preview pets 7', 'sluice verify pets --deep']) {
    expect(page).toContain(`\`${command}\``)
    const { code, stderr } = await place.sluice(command.replace('pets', name).split(' ').slice(1))
    expect({ command, code, stderr }).toMatchObject({ command, code: 0 })
  }
  await world.db.pool.query(`UPDATE allergy SET name = 'fish' WHERE name = 'chicken'`)
  await eventually(async () =>
    expect(await search.request('GET', `/${search.prefix}pets/_doc/7`)).toMatchObject({
      _source: { allergies: ['fish', 'pollen'] },
    }),
  )
  daemon.process.kill('SIGTERM')
  expect((await daemon.ended).code).toBe(0)
})
