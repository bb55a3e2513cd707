import { describe, expect, it } from 'vitest'
import { checkConfig } from '../../src/config/check.ts'
import {
  adminSchema,
  alertsSchema,
  brakeSchema,
  configSchema,
  connectionSchema,
  documentSchema,
  limitsSchema,
  relationSchema,
  scheduleSchema,
  throughSchema,
} from '../../src/config/schema.ts'

/** What no key takes, whatever it is for, or one in a list or an object. */
const odd = [7.5, '', ' ', true, null, [], [7], [' '], {}, { a: 7 }, { a: [7] }, { ' ': 'a' }, Number.NaN]

const city = { table: 'city', index: 'cities' }
const relations = (relation: object) => ({ documents: { city: { ...city, relations: { a: relation } } } })
const places: readonly (readonly [string, object, (part: unknown) => unknown])[] = [
  ['the whole', configSchema.shape, (part) => ({ documents: {}, ...Object(part) })],
  ['connection', connectionSchema.shape, (connection) => ({ connection, documents: {} })],
  ['limits', limitsSchema.shape, (limits) => ({ limits, documents: {} })],
  ['admin', adminSchema.shape, (admin) => ({ admin, documents: {} })],
  ['alerts', alertsSchema.shape, (alerts) => ({ alerts, documents: {} })],
  ['documents.*', documentSchema.shape, (part) => ({ documents: { city: { ...city, ...Object(part) } } })],
  ['documents.*.brake', brakeSchema.shape, (brake) => ({ documents: { city: { ...city, brake } } })],
  ['relations.*', relationSchema.shape, (part) => relations({ many: 'review', ...Object(part) })],
  [
    'relations.*.through',
    throughSchema.shape,
    (part) => relations({ many: 'review', through: { table: 'a', ...Object(part) } }),
  ],
  [
    'schedules.*',
    scheduleSchema.shape,
    (part) => ({ documents: {}, schedules: { a: { cron: '0 3 * * *', run: 'verify', ...Object(part) } } }),
  ],
]

describe.each(places)('a value that is wrong in %s', (_, shape, within) => {
  it.each(Object.keys(shape))('%s: is told in our words, with what was expected', (key) => {
    const problems = odd.flatMap((value) => checkConfig(within({ [key]: value })).problems)
    expect(problems).not.toEqual([])
    for (const { what } of problems) {
      expect(what).toMatch(/^(got|is|given|names) /)
      expect(what).not.toMatch(/Invalid|Too (big|small)|Unrecognized|expected (;|or |$)|undefined/)
    }
  })
})

it('a name that cannot be is told in our words, too', () => {
  const documents = { 'a b': city }
  const schedules = { 'a b': { cron: '0 3 * * *', run: 'verify' } }
  for (const { what } of checkConfig({ documents, schedules }).problems) {
    expect(what).toMatch(/^got "a b", expected an? [a-z]+ name: /)
  }
})
