import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { type Workspace, workspace } from './cli-support.ts'

/** docs/migrations-of-your-application.md, run as it is written. */

const page = join(import.meta.dirname, '../../docs/migrations-of-your-application.md')

let database: TestDatabase
let place: Workspace
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query('CREATE TABLE city (id int PRIMARY KEY, name text)')
  place = await workspace({ DATABASE_URL: database.url })
  const city = { table: 'city', index: 'cities', fields: ['id', 'name'] }
  await place.write('sluice.config.json', JSON.stringify({ documents: { city } }))
  await mkdir(join(place.folder, 'db'))
})
afterAll(async () => {
  await place.remove()
  await database.drop()
})

test('the commands of the page print what it says', async () => {
  const text = await readFile(page, 'utf8')
  const block = (language: string) => new RegExp(`\`\`\`${language}\\n([^\`]*)\`\`\``).exec(text)?.[1] ?? ''
  for (const [, name = '', sql = ''] of text.matchAll(/`(db\/[^`]+)`\n\n```sql\n([^`]*)```/g)) {
    await place.write(name, sql)
  }
  const commands = block('sh').trim().split('\n')
  expect(commands).toHaveLength(2)
  let printed = ''
  for (const command of commands) {
    const { stdout, stderr } = await place.sluice(command.split(' ').slice(1))
    expect(stderr).toBe('')
    printed = stdout
  }
  expect(printed).toBe(block('text'))
})
