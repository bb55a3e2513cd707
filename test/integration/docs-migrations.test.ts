import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/context.ts'
import { type CommandWorld, commandWorld, type Started } from './cli-support.ts'

/** docs/migrations-of-your-application.md, run as it is written. */

const page = await readFile(join(import.meta.dirname, '../../docs/migrations-of-your-application.md'), 'utf8')
const guides = page.indexOf('## Rename a column')

let world: CommandWorld
beforeAll(async () => {
  world = await commandWorld()
  await world.db.pool.query(
    `CREATE TABLE city (id int PRIMARY KEY, name text); INSERT INTO city VALUES (1, 'Berne'), (2, 'Thun')`,
  )
  await mkdir(join(world.place.folder, 'db'))
  await configure({ documents: { city: { table: 'city', index: 'cities', fields: ['id', 'name'] } } })
})
afterAll(() => world.drop())

async function configure(config: unknown): Promise<void> {
  const text = JSON.stringify(config).replace('"cities"', `"${world.search.prefix}cities"`)
  await world.place.write('sluice.config.json', text)
}

test('the commands of the page print what it says', async () => {
  const text = page.slice(0, guides)
  const block = (language: string) => new RegExp(`\`\`\`${language}\\n([^\`]*)\`\`\``).exec(text)?.[1] ?? ''
  for (const [, name = '', sql = ''] of text.matchAll(/`(db\/[^`]+)`\n\n```sql\n([^`]*)```/g)) {
    await world.place.write(name, sql)
  }
  const commands = block('sh').trim().split('\n')
  expect(commands).toHaveLength(2)
  let printed = ''
  for (const command of commands) {
    const { stdout, stderr } = await world.place.sluice(command.split(' ').slice(1))
    expect(stderr).toBe('')
    printed = stdout
  }
  expect(printed).toBe(block('text'))
})

/** The document, or null; read through the alias, as searches do. */
async function document(id: number): Promise<unknown> {
  const answer = await world.search.request('GET', `/${world.search.prefix}cities/_doc/${id}`)
  return (answer as { _source?: unknown })._source ?? null
}

test('the guides can be followed, one after the other', async () => {
  const { db, place } = world
  let daemon: Started | undefined
  const restart = async () => {
    daemon?.process.kill('SIGTERM')
    await daemon?.ended
    daemon = place.start(['run'])
  }
  const holds = (id: number, expected: unknown) =>
    eventually(async () => expect(await document(id)).toEqual(expected), {
      describe: () => daemon?.output(),
    })

  expect((await place.sluice(['install'])).code).toBe(0)
  await restart()
  await holds(2, { id: 2, name: 'Thun' })

  const [, ...sections] = page.slice(guides - 1).split('\n## ')
  for (const section of sections) {
    for (const [, language, text = ''] of section.matchAll(/```(sql|json|sh)\n([^`]*)```/g)) {
      if (language === 'sql') await db.pool.query(text)
      else if (language === 'json') await configure(JSON.parse(text))
      else {
        for (const line of text.trim().split('\n')) {
          const [command = '', remark = ''] = line.split('#')
          const { code, stderr } = await place.sluice(command.trim().split(/\s+/).slice(1))
          expect({ line, code, stderr }).toMatchObject({
            code: Number(/exit code (\d)/.exec(remark)?.[1] ?? 0),
          })
          if (line === 'sluice install') await restart()
        }
      }
      // A daemon that knows nothing of the new name follows it.
      if (text.includes("label = 'Bern'")) {
        await holds(1, { id: 1, name: 'Bern' })
        expect((await place.sluice(['check'])).code).toBe(2)
      }
    }
    const [title = ''] = section.split('\n')
    if (title.startsWith('Rename')) await holds(1, { id: 1, name: 'Bern' })
    if (title.startsWith('Drop')) await holds(2, { id: 2 })
    if (title.startsWith('Detach')) await holds(3, { id: 3, name: 'Chur' })
    if (title.startsWith('Soft')) await holds(1, null)
  }
  expect(sections.map((section) => section.split('\n')[0])).toHaveLength(5)
  await holds(2, { id: 2 })
  // Of the backlog that was shed nothing is left.
  await eventually(async () =>
    expect((await db.pool.query('SELECT FROM sluice.sync_queue')).rowCount).toBe(0),
  )
  daemon?.process.kill('SIGTERM')
  expect((await daemon?.ended)?.code).toBe(0)
})
