import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import {
  adminSchema,
  alertsSchema,
  configSchema,
  connectionSchema,
  documentSchema,
  limitsSchema,
  relationSchema,
  scheduleSchema,
  throughSchema,
} from '../../src/config/schema.ts'
import { type Variable, variables } from '../../src/config/variables.ts'
import { cliPage, configurationPage, environmentPage, keysOf } from '../support/reference.ts'

/** Reference pages of docs/ are what the code says. After a change: npx vitest run test/unit/docs-reference.test.ts -u */

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const types = read('src/config/types.ts')

const parts = [
  { title: 'The whole', name: 'SluiceConfig', schema: configSchema },
  { title: 'documents.*', name: 'DocumentDefinition', schema: documentSchema },
  { title: 'documents.*.relations.*', name: 'Relation', schema: relationSchema },
  { title: 'documents.*.relations.*.through', name: 'Through', schema: throughSchema },
  { title: 'schedules.*', name: 'ScheduleDefinition', schema: scheduleSchema },
  { title: 'connection', name: 'Connection', schema: connectionSchema },
  { title: 'limits', name: 'Limits', schema: limitsSchema },
  { title: 'admin', name: 'Admin', schema: adminSchema },
  { title: 'alerts', name: 'Alerts', schema: alertsSchema },
]

/** Documents and relations share these. */
const keys = (name: string) =>
  ['DocumentDefinition', 'Relation'].includes(name)
    ? [...keysOf(types, name), ...keysOf(types, 'RowFields')]
    : keysOf(types, name)

describe('docs/configuration.md', () => {
  test.each(parts)('has every key of $title, and says what it is', ({ name, schema }) => {
    expect(
      keys(name)
        .map((key) => key.name)
        .sort(),
    ).toEqual(Object.keys(schema.shape).sort())
    expect(
      keys(name)
        .filter(({ comment }) => comment === '')
        .map((key) => key.name),
    ).toEqual([])
  })

  test('is what the types say', async () => {
    const page = configurationPage(parts.map(({ title, name }) => ({ title, keys: keys(name) })))
    await expect(page).toMatchFileSnapshot('../../docs/configuration.md')
  })
})

test('docs/environment.md is what .env.example and the code say', async () => {
  const all = Object.values<Variable>(variables).map((variable) => ({
    name: variable.name,
    flag: variable.flag ?? null,
    default: variable.default === undefined ? null : String(variable.default),
  }))
  const page = environmentPage(read('.env.example'), all)
  await expect(page).toMatchFileSnapshot('../../docs/environment.md')
})

test('docs/cli.md is what --help prints', async () => {
  const page = cliPage(await createProgram({ json: false }))
  await expect(page).toMatchFileSnapshot('../../docs/cli.md')
})
