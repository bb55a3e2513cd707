import { describe, expect, it } from 'vitest'
import { quoteIdentifier, quoteLiteral, readableIdentifier } from '../../src/catalog/quote.ts'
import { suggest } from '../../src/catalog/suggest.ts'
import { parseTableName, quotedTableText, tableText } from '../../src/catalog/table-name.ts'

describe('table names', () => {
  it.each([
    ['city', { schema: 'public', name: 'city' }],
    ['geo.city', { schema: 'geo', name: 'city' }],
    ['Geo.City', { schema: 'Geo', name: 'City' }],
    ['geo."my.table"', { schema: 'geo', name: 'my.table' }],
    ['"say ""hi"""', { schema: 'public', name: 'say "hi"' }],
    ['größe.straße 1', { schema: 'größe', name: 'straße 1' }],
  ])('%s', (text, name) => expect(parseTableName(text)).toEqual(name))

  it.each(['', '.', 'geo.', '.city', 'a.b.c', 'geo."city', 'geo"city"', '"geo"city'])('%j is none', (text) =>
    expect(parseTableName(text)).toBeNull(),
  )

  it.each([
    { schema: 'public', name: 'city' },
    { schema: 'geo', name: 'my.table' },
    { schema: 'a.b', name: 'say "hi"' },
    { schema: 'größe', name: 'straße 1' },
  ])('as a configuration names them are read as the same: %j', (name) => {
    expect(parseTableName(quotedTableText(name))).toEqual(name)
  })

  it('are in quotes only where they must be', () => {
    expect(quotedTableText({ schema: 'Geo', name: 'my city' })).toBe('Geo.my city')
    expect(quotedTableText({ schema: 'geo', name: 'a.b' })).toBe('geo."a.b"')
  })

  it('are written as people write them', () => {
    expect(tableText({ schema: 'public', name: 'city' })).toBe('city')
    expect(tableText({ schema: 'geo', name: 'city' })).toBe('geo.city')
  })
})

describe('suggestions', () => {
  const columns = ['id', 'name', 'country_code', 'population', 'Updated_At']
  it.each<readonly [string, string]>([
    ['nmae', ' (did you mean "name"?)'],
    ['nam', ' (did you mean "name"?)'],
    ['countrycode', ' (did you mean "country_code"?)'],
    ['updated_at', ' (did you mean "Updated_At"?)'],
    ['foo', ''],
    ['it', ' (did you mean "id"?)'],
    // Two letters wrong in four, which are not two that changed places.
    ...['mnea', 'xxme', 'axme', 'xnme'].map((name) => [name, ''] as const),
    ['opupalitno', ''],
    ['populatoin', ' (did you mean "population"?)'],
    ['oppulaiton', ' (did you mean "population"?)'],
    ['popxulatixn', ' (did you mean "population"?)'],
    ['xoxulxtixn', ''],
    ['', ''],
  ])('for %j', (name, text) => expect(suggest(name, columns)).toBe(text))

  it('find a table in another schema', () => {
    expect(suggest('city', ['public.country', 'geo.city'])).toBe(' (did you mean "geo.city"?)')
    expect(suggest('city', ['geo.city', 'geo.cit'])).toBe(' (did you mean "geo.city"?)')
    expect(suggest('goe.city', ['geo.city', 'geo.country'])).toBe(' (did you mean "geo.city"?)')
  })
})

describe('quoting', () => {
  it('for people is none, but where the name would be read otherwise', () => {
    for (const name of ['city', '_a1', 'name', 'value']) expect(readableIdentifier(name)).toBe(name)
    for (const name of ['City', '1st', 'a b', 'a-', 'größe', '']) {
      expect(readableIdentifier(name)).toBe(quoteIdentifier(name))
    }
    for (const word of [
      'array',
      'column',
      'current_user',
      'from',
      'localtime',
      'references',
      'user',
      'with',
    ]) {
      expect(readableIdentifier(word)).toBe(`"${word}"`)
    }
  })

  it('keeps any name in one piece', () => {
    expect(quoteIdentifier('say "hi"')).toBe('"say ""hi"""')
    expect(quoteLiteral("it's")).toBe("'it''s'")
    expect(quoteLiteral(String.raw`a\'b`)).toBe(String.raw`E'a\\''b'`)
  })
})
