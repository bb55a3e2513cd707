import { type Group, kept, noSuchDate, notFinite, refused } from './case.ts'

const keyword = { type: 'keyword' }
const raw = String.raw

/** Domains are what they are made of; arrays what their elements are, whatever the field is stated to be. */
export const domains: Group = {
  name: 'domains',
  types: `
    CREATE DOMAIN an_instant AS timestamptz; CREATE DOMAIN a_day AS date; CREATE DOMAIN a_number AS numeric;
    CREATE DOMAIN a_float AS float8; CREATE DOMAIN a_place AS point; CREATE DOMAIN a_span AS interval;
    CREATE DOMAIN some_bytes AS bytea; CREATE DOMAIN some_days AS daterange; CREATE DOMAIN some_spans AS int4multirange;
    CREATE DOMAIN an_address AS inet; CREATE DOMAIN a_thing AS jsonb; CREATE DOMAIN a_price AS money;
    CREATE DOMAIN a_code AS char(4); CREATE DOMAIN instants AS an_instant[]; CREATE TYPE two AS (a int, b text);`,
  cases: [
    kept('instant', 'an_instant', "'2024-01-01 00:00+01'", '"2023-12-31T23:00:00Z"'),
    refused('instant, infinity', 'an_instant', "'infinity'", noSuchDate),
    refused('day, after 9999', 'a_day', "'10000-01-01'", noSuchDate),
    kept('number', 'a_number', '1.50', '1.50'),
    refused('number, NaN', 'a_number', "'NaN'", notFinite),
    refused('float, Infinity', 'a_float', "'Infinity'", notFinite),
    kept('place', 'a_place', "'(1,2)'", '{"x" : 1, "y" : 2}'),
    kept('place as geo_point', 'a_place', "'(8.5,47)'", '{"lon" : 8.5, "lat" : 47}', { type: 'geo_point' }),
    kept('span', 'a_span', "'1 mon'", '"P0Y1M0DT0H0M0S"'),
    kept('bytes', 'some_bytes', raw`'\xdead'`, '"3q0="'),
    kept('range', 'some_days', "'[2024-01-01,2024-01-01]'", '{"gte":"2024-01-01","lt":"2024-01-02"}'),
    kept('multirange', 'some_spans', "'{[1,2],[4,5]}'", '[{"gte":1,"lt":3},{"gte":4,"lt":6}]'),
    kept('address as ip', 'an_address', "'10.1.2.3/8'", '"10.1.2.3"', { type: 'ip' }),
    kept('jsonb', 'a_thing', `'{"a":1}'`, '{"a": 1}'),
    kept('jsonb as keyword', 'a_thing', `'{"a":1}'`, raw`"{\"a\": 1}"`, keyword),
    kept('money', 'a_price', "'1.5'", '1.50'),
    kept('char(4)', 'a_code', "'CH'", '"CH"'),
    kept('instants', 'instants', "'{2024-01-01 00:00+01,NULL}'", '["2023-12-31T23:00:00Z",null]'),
    refused('instants, infinity', 'instants', "'{infinity}'", noSuchDate),
    kept('array of a domain', 'an_instant[]', "'{2024-01-01 00:00+01}'", '["2023-12-31T23:00:00Z"]'),

    kept(
      'timestamptz[] as keyword',
      'timestamptz[]',
      "'{infinity,2024-01-01 00:00+01}'",
      '["infinity","2023-12-31T23:00:00Z"]',
      keyword,
    ),
    kept('interval[] as long', 'interval[]', "'{1 day,NULL}'", '[86400.000000,null]', { type: 'long' }),
    kept('bytea[] as keyword', 'bytea[]', raw`ARRAY['\x00ff'::bytea]`, '["00ff"]', keyword),
    kept('numeric[] as keyword', 'numeric[]', "'{NaN,1.0}'", '["NaN",1.0]', keyword),
    kept('point[] as keyword', 'point[]', `'{"(1,2)"}'`, '["(1,2)"]', keyword),
    kept('int4range[] as keyword', 'int4range[]', `'{"[1,2]",empty}'`, '["[1,3)","empty"]', keyword),
    kept('int4multirange as keyword', 'int4multirange', "'{[1,2]}'", '"{[1,3)}"', keyword),
    kept('jsonb[] as keyword', 'jsonb[]', `ARRAY['{"a":1}'::jsonb]`, raw`["{\"a\": 1}"]`, keyword),
    kept('composite[] as keyword', 'two[]', "ARRAY[ROW(1, 'x')::two]", raw`"{\"(1,x)\"}"`, keyword),
    kept('inet[] as ip_range', 'inet[]', "'{10.0.0.0/8,::1}'", '["10.0.0.0/8","::1/128"]', {
      type: 'ip_range',
    }),
  ],
}
