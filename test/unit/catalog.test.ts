import { describe, expect, it } from 'vitest'
import { quoteIdentifier, quoteLiteral } from '../../src/catalog/quote.ts'
import { suggest } from '../../src/catalog/suggest.ts'
import { parseTableName, tableText } from '../../src/catalog/table-name.ts'

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

  it('are written as people write them', () => {
    expect(tableText({ schema: 'public', name: 'city' })).toBe('city')
    expect(tableText({ schema: 'geo', name: 'city' })).toBe('geo.city')
  })
})

describe('suggestions', () => {
  const columns = ['id', 'name', 'country_code', 'population', 'Updated_At']
  it.each([
    ['nmae', ' (did you mean "name"?)'],
    ['nam', ' (did you mean "name"?)'],
    ['countrycode', ' (did you mean "country_code"?)'],
    ['updated_at', ' (did you mean "Updated_At"?)'],
    ['foo', ''],
    ['', ''],
  ])('for %j', (name, text) => expect(suggest(name, columns)).toBe(text))

  it('find a table in another schema', () => {
    expect(suggest('city', ['public.country', 'geo.city'])).toBe(' (did you mean "geo.city"?)')
    expect(suggest('goe.city', ['geo.city', 'geo.country'])).toBe(' (did you mean "geo.city"?)')
  })
})

describe('quoting', () => {
  it('keeps any name in one piece', () => {
    expect(quoteIdentifier('say "hi"')).toBe('"say ""hi"""')
    expect(quoteLiteral("it's")).toBe("'it''s'")
    expect(quoteLiteral(String.raw`a\'b`)).toBe(String.raw`E'a\\''b'`)
  })
})
