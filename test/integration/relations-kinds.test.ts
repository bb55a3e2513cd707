import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DocumentDefinition } from '../../src/config/types.ts'
import type { DocumentPlan } from '../../src/documents/types.ts'
import { type TestDatabase, testDatabase } from '../support/context.ts'
import { installView, load, planIn } from './documents-fixture.ts'
import { documents, expand, GEO, installLinks } from './relations-fixture.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.pool.query(GEO)
})
afterAll(() => database.drop())

const sql = (text: string) => database.pool.query(text)

async function install(definition: Omit<DocumentDefinition, 'index'>, name?: string): Promise<DocumentPlan> {
  const plan = await installView(database.pool, definition, name)
  await installLinks(database.pool, plan)
  return plan
}

const problemsOf = async (plan: DocumentPlan, keys: readonly string[]) =>
  (await load(database.pool, plan, keys)).map(({ problem }) => problem)

describe('related rows', () => {
  it('take all columns by default, and are in the order of their key', async () => {
    const plan = await install({
      table: 'geo.country',
      fields: ['code'],
      relations: {
        spoken: { many: 'geo.country_language', relations: { language: { one: 'geo.language' } } },
      },
    })
    expect(await documents(database.pool, plan, ['CH'])).toEqual({
      CH: {
        code: 'CH',
        spoken: [
          { country_code: 'CH', language: { code: 'de', name: 'Deutsch' } },
          { country_code: 'CH', language: { code: 'fr', name: 'Français' } },
        ],
      },
    })
  })
})
