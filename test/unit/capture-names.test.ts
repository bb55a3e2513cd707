import { describe, expect, it } from 'vitest'
import { captureNames, objectComment, parseObjectComment } from '../../src/capture/names.ts'

describe('names of what install creates', () => {
  it('say schema, document and event', () => {
    const names = captureNames('sluice', 'city', '')
    expect(names.key).toBe('key_city')
    expect(names.changed).toBe('changed_city')
    expect(names.function('insert')).toBe('capture_city_insert')
    expect(names.trigger('truncate')).toBe('sluice_city_truncate')
  })

  it('are different ones', () => {
    const { function: of, trigger: _, ...names } = captureNames('sluice', 'city', '')
    const all = [...Object.values(names), ...(['insert', 'update', 'delete', 'truncate'] as const).map(of)]
    expect(new Set(all).size).toBe(7)
  })

  it('are kept whole up to 63 bytes', () => {
    const document = 'x'.repeat(59)
    expect(captureNames('sluice', document, '').key).toBe(`key_${document}`)
  })

  it('of a relation cannot be those of another document', () => {
    expect(captureNames('sluice', 'city', 'country').key).toBe('key_city.country')
  })

  it('never exceed what Postgres keeps, and stay different', () => {
    const long = 'x'.repeat(70)
    const names = ['insert', 'update', 'delete', 'truncate'].flatMap((event) =>
      [`${long}a`, `${long}b`].map((document) =>
        captureNames('schéma', document, '').trigger(event as 'insert'),
      ),
    )
    expect(new Set(names.map((name) => Buffer.from(name).subarray(0, 63).toString())).size).toBe(8)
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
  })

  it('are cut between characters', () => {
    const name = captureNames('ß'.repeat(31), 'city', '').trigger('insert')
    expect(name).not.toContain('\uFFFD')
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
  })
})

describe('the comment on our objects', () => {
  it('says whose it is and which definition', () => {
    const comment = objectComment('city', 'CREATE …')
    expect(parseObjectComment(comment)).toEqual({ document: 'city', fingerprint: expect.any(String) })
    expect(parseObjectComment(comment)).not.toEqual(
      parseObjectComment(objectComment('city', 'CREATE … other')),
    )
  })

  it.each([
    ...['', 'Keys of a city', 'Document city'],
    // Somebody's own, which quotes one.
    `As in: ${objectComment('city', 'x')}`,
    `${objectComment('city', 'x')} and by hand`,
  ])('is not %j', (comment) => {
    expect(parseObjectComment(comment)).toBeNull()
  })
})
