import { type Group, kept, notFinite, refused, unparsed, unstorable } from './case.ts'

const keyword = { type: 'keyword' }
const notIntroduced = 'mapping set to strict, dynamic introduction of [b] within [$] is not allowed'
const dynamic = { type: 'object', dynamic: true }
const raw = String.raw
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const objects = (depth: number) => `${'{"a": '.repeat(depth)}1${'}'.repeat(depth)}`
const arraysTooDeep =
  'failed to parse: The depth of the nested array field has exceeded the allowed limit of [20] (index.mapping.depth.limit)'
const bytes = Array.from({ length: 256 }, (_, n) => n)
const hex = Buffer.from(bytes).toString('hex')

export const structures: Group = {
  name: 'structures',
  types: `
    CREATE EXTENSION hstore;
    CREATE TYPE pair AS (a int, "b c" text);
    CREATE TYPE knot AS (name text, pairs pair[], inner_pair pair, at timestamptz, due date, raw bytea, span interval, n numeric, "ÄÖ ""x""" json);
    CREATE DOMAIN good_pair AS pair CHECK ((VALUE).a > 0);
    CREATE DOMAIN numbers_list AS int[];
    CREATE TYPE floats AS RANGE (subtype = float8);
    CREATE TABLE other (id int, label text);`,
  cases: [
    kept('array, two dimensions', 'int[]', "'{{1,2},{3,NULL}}'", '[[1,2],[3,null]]'),
    kept('array, three dimensions', 'int[]', "'{{{1},{2}},{{3},{4}}}'", '[[[1],[2]],[[3],[4]]]'),
    kept(
      'array, two dimensions of instants',
      'timestamptz[]',
      "'{{2024-01-01 00:00+00},{2024-01-02 00:00+00}}'",
      '["2024-01-01T00:00:00Z","2024-01-02T00:00:00Z"]',
    ),
    kept('array, empty', 'int[]', "'{}'", '[]'),
    kept('array, empty, of instants', 'timestamptz[]', "'{}'", '[]'),
    kept('array, of nulls', 'int[]', "'{NULL,NULL}'", '[null,null]'),
    kept('array, null', 'int[]', 'NULL', 'null'),
    kept('array, from another bound', 'int[]', "'[5:6]={1,2}'", '[1,2]'),
    kept(
      'array, 20000 elements',
      'int[]',
      'ARRAY(SELECT generate_series(1, 20000))',
      `[${Array.from({ length: 20000 }, (_, n) => n + 1).join(',')}]`,
    ),
    kept('array, boolean', 'boolean[]', "'{t,f}'", '[true,false]'),
    kept('domain over an array', 'numbers_list', "'{1,2}'", '[1,2]'),

    kept('composite', 'pair', "ROW(1, 'x')", '{"a":1,"b c":"x"}'),
    kept('composite, of nulls', 'pair', 'ROW(NULL, NULL)', '{"a":null,"b c":null}'),
    kept('composite, null', 'pair', 'NULL', 'null'),
    kept('composite[]', 'pair[]', "ARRAY[ROW(1, 'x')::pair, NULL]", '[{"a":1,"b c":"x"},null]'),
    kept(
      'composite, nested',
      'knot',
      raw`ROW('k', ARRAY[ROW(1, 'x')::pair], ROW(2, NULL)::pair, '2024-01-01 00:00+01', 'infinity', '\xff', '1 day', 'NaN', '[1]')`,
      raw`{"name":"k","pairs":[{"a":1,"b c":"x"}],"inner_pair":{"a":2,"b c":null},"at":"2023-12-31T23:00:00+00:00","due":"infinity","raw":"\\xff","span":"P1D","n":"NaN","ÄÖ \"x\"":[1]}`,
    ),
    kept('composite as keyword', 'pair', "ROW(1, 'x y')", raw`"(1,\"x y\")"`, keyword),
    kept('composite as object', 'pair', "ROW(1, 'x')", '{"a":1,"b c":"x"}', dynamic),
    kept('domain over a composite', 'good_pair', "ROW(1, 'x')", '{"a":1,"b c":"x"}'),
    kept('row of another table', 'other', "ROW(1, 'x')", '{"id":1,"label":"x"}'),

    kept('jsonb, object', 'jsonb', `'{"b":1.0,"a":[null,true],"b":2.50}'`, '{"a": [null, true], "b": 2.50}'),
    kept('jsonb, a string', 'jsonb', `'"text"'`, '"text"'),
    kept('jsonb, a number', 'jsonb', "'1e2'", '100'),
    kept('jsonb, true', 'jsonb', "'true'", 'true'),
    kept('jsonb, null', 'jsonb', "'null'", 'null'),
    kept('jsonb, empty object', 'jsonb', "'{}'", '{}'),
    kept(
      'jsonb, awkward names',
      'jsonb',
      `'{"":1,"a.b":{"..":2}," ":3,"_id":4,"type":5,"😀":6}'`,
      '{"": 1, " ": 3, "_id": 4, "a.b": {"..": 2}, "type": 5, "😀": 6}',
    ),
    unstorable('jsonb, NUL', 'jsonb', raw`'"\u0000"'`, '22P05'),
    unstorable('jsonb, a lone surrogate', 'jsonb', raw`'"\ud800"'`, '22P02'),
    kept('jsonb, 100 digits', 'jsonb', `'${'9'.repeat(100)}'`, '9'.repeat(100)),
    refused('jsonb, 1001 digits', 'jsonb', "'1e1000'", [
      'Number value length exceeds the maximum allowed (1000)',
      'failed to parse: Number value length exceeds the maximum allowed (1000)',
    ]),
    kept('jsonb, 20 arrays deep', 'jsonb', `'${nested(20)}'`, nested(20)),
    {
      name: 'jsonb, 900 arrays deep',
      type: 'jsonb',
      value: `'${nested(900)}'`,
      becomes: { json: nested(900), onOpenSearch: arraysTooDeep },
    },
    kept('jsonb, 900 objects deep', 'jsonb', `'${objects(900)}'`, objects(900)),
    refused('jsonb, 1100 deep', 'jsonb', `'${nested(1100)}'`, [
      'Document nesting depth exceeds the maximum allowed (1000)',
      arraysTooDeep,
    ]),
    kept(
      'jsonb, 5000 names',
      'jsonb',
      '(SELECT jsonb_object_agg(1000 + n, n) FROM generate_series(1, 5000) n)',
      `{${Array.from({ length: 5000 }, (_, n) => `"${n + 1001}": ${n + 1}`).join(', ')}}`,
    ),
    kept('jsonb as keyword', 'jsonb', `'{"a":"x"}'`, raw`"{\"a\": \"x\"}"`, keyword),
    kept('jsonb as object', 'jsonb', `'{"a":"x"}'`, '{"a": "x"}', dynamic),
    refused(
      'jsonb as object, a string',
      'jsonb',
      `'"x"'`,
      'object mapping for [$] tried to parse field [$] as object, but found a concrete value',
      dynamic,
    ),
    refused('jsonb as object, of a strict mapping', 'jsonb', `'{"b":1}'`, notIntroduced, {
      type: 'object',
      properties: { a: { type: 'long' } },
    }),
    kept('jsonb as nested', 'jsonb', `'[{"a":1},{"a":2}]'`, '[{"a": 1}, {"a": 2}]', {
      type: 'nested',
      properties: { a: { type: 'long' } },
    }),
    kept('jsonb[]', 'jsonb[]', `ARRAY['1'::jsonb, '{"a":[]}', NULL]`, '[1,{"a": []},null]'),

    kept('json, as it was written', 'json', `'{"b" : 1.0 ,"a":1E400}'`, '{"b" : 1.0 ,"a":1E400}'),
    kept('json, line breaks', 'json', 'E\'{\\n\\t"a":\\r\\n1}\\n\'', '{ \t"a":  1} '),
    kept('json, NUL', 'json', raw`'{"a\u0000":"\u0000"}'`, raw`{"a\u0000":"\u0000"}`),
    kept(
      'json, lone surrogates',
      'json',
      raw`'["\ud800","\udc00\ud800","\ud83d\ude00"]'`,
      raw`["\ud800","\udc00\ud800","\ud83d\ude00"]`,
    ),
    refused('json, a name twice', 'json', `'{"a":1,"a":2}'`, [
      'Duplicate field [a]',
      'failed to parse: Duplicate field [a]',
    ]),
    kept('json as keyword, a name twice', 'json', `'{"a":1,"a":2}'`, raw`"{\"a\":1,\"a\":2}"`, keyword),
    kept('json as keyword, lone surrogate', 'json', raw`'"\ud800"'`, raw`"\"\\ud800\""`, keyword),
    kept('json[], line breaks', 'json[]', String.raw`ARRAY[E'[\n1]'::json]`, '[[ 1]]'),

    kept('hstore', 'hstore', `'"a b"=>"1", q=>NULL, ""=>"\\""'`, raw`{"": "\"", "q": null, "a b": "1"}`),
    kept('hstore, empty', 'hstore', "''", '{}'),
    kept('hstore[]', 'hstore[]', "ARRAY['a=>1'::hstore]", '[{"a": "1"}]'),
    kept('hstore as keyword', 'hstore', "'a=>1'", raw`"\"a\"=>\"1\""`, keyword),

    kept('bytea, every byte', 'bytea', raw`'\x${hex}'`, `"${Buffer.from(bytes).toString('base64')}"`),
    kept('bytea, empty', 'bytea', "''", '""'),
    kept(
      'bytea, a megabyte',
      'bytea',
      "decode(repeat('ab', 1048576), 'hex')",
      `"${Buffer.alloc(1048576, 0xab).toString('base64')}"`,
    ),
    kept('bytea as keyword', 'bytea', raw`'\xdeadbeef'`, '"deadbeef"', keyword),
    kept('bytea[]', 'bytea[]', raw`ARRAY['\x00'::bytea, NULL]`, '["AA==",null]'),

    kept(
      'int4range, largest',
      'int4range',
      "'[2147483646,2147483646]'",
      '{"gte":2147483646,"lt":2147483647}',
    ),
    kept('int8range, largest', 'int8range', "'(9223372036854775805,)'", '{"gte":9223372036854775806}'),
    kept('numrange', 'numrange', "'(1.50,2.5]'", '{"gt":1.50,"lte":2.5}'),
    kept('numrange, empty', 'numrange', "'(1.5,1.5)'", 'null'),
    kept('numrange, infinite', 'numrange', "'[-Infinity,Infinity]'", '{}'),
    refused('numrange, NaN', 'numrange', "'[1,NaN]'", notFinite),
    refused(
      'numrange, above the largest double',
      'numrange',
      "'[1e309,)'",
      unparsed('double_range', '[double] supports only finite values'),
    ),
    refused(
      'numrange, of less than a double can tell',
      'numrange',
      "'(1,1.00000000000000000001)'",
      unparsed('double_range', 'min value is greater than max value'),
    ),
    kept('int4range as keyword', 'int4range', "'[1,5]'", '"[1,6)"', keyword),
    kept('int4range[]', 'int4range[]', '\'{"[1,2]",NULL,empty}\'', '[{"gte":1,"lt":3},null,null]'),
    kept('int4multirange', 'int4multirange', "'{[1,2],[4,5]}'", '[{"gte":1,"lt":3},{"gte":4,"lt":6}]'),
    kept('nummultirange, empty', 'nummultirange', "'{}'", '[]'),
    kept(
      'nummultirange, infinite',
      'nummultirange',
      "'{(-Infinity,1],[2,3)}'",
      '[{"lte":1},{"gte":2,"lt":3}]',
    ),
    kept('range type of one’s own', 'floats', "'[1.5,2)'", '"[1.5,2)"'),
  ],
}
