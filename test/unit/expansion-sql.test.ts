import { expect, test } from 'vitest'
import { castSql, probeSql, rootsSql } from '../../src/documents/expansion-sql.ts'

const one = { view: 'links_city.country', links: ['pg_catalog.bpchar'] }
const two = { view: 'links "odd"', links: ['pg_catalog.int4', '"Geo"."Mood"'] }

test('a probe finds some documents of each value, and not more than can be held in all', () => {
  expect(probeSql('sluice', one, 101)).toBe(
    [
      'SELECT k.n, x.key',
      'FROM unnest($1::pg_catalog.bpchar[]) WITH ORDINALITY AS k ("link_1", n)',
      'CROSS JOIN LATERAL (',
      '  SELECT v.key FROM "sluice"."links_city.country" AS v WHERE v."link_1" = k."link_1" LIMIT 101',
      ') AS x',
      'ORDER BY k.n LIMIT $2',
    ].join('\n'),
  )
})

test('a link of several columns is joined on all of them', () => {
  expect(probeSql('Our schema', two, 2)).toContain(
    'FROM "Our schema"."links ""odd""" AS v WHERE v."link_1" = k."link_1" AND v."link_2" = k."link_2" LIMIT 2',
  )
  expect(probeSql('s', two, 2)).toMatch(/ LIMIT \$3$/)
})

test('values that stand in a text are quoted, and a null is one', () => {
  expect(
    rootsSql('sluice', two, [
      ['1', "o'clock"],
      ['2', null],
      ['3', 'back\\slash'],
    ]),
  ).toBe(
    [
      'SELECT DISTINCT v.key',
      `FROM unnest(ARRAY['1', '2', '3']::pg_catalog.int4[], ARRAY['o''clock', NULL, E'back\\\\slash']::"Geo"."Mood"[]) AS k ("link_1", "link_2")`,
      'JOIN "sluice"."links ""odd""" AS v ON v."link_1" = k."link_1" AND v."link_2" = k."link_2"',
    ].join('\n'),
  )
})

test('a cast names each type, quoted as the plan has it', () => {
  expect(castSql(two)).toBe('SELECT $1::text::pg_catalog.int4, $2::text::"Geo"."Mood"')
})
