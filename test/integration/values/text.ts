import { type Group, kept, refused, unparsed, unstorable } from './case.ts'

const keyword = { type: 'keyword' }
const raw = String.raw
const immense =
  'Document contains at least one immense term in field="$" (whose UTF8 encoding is longer than the max length 32766)'

/** Every character below U+0020 but NUL, as Postgres prints it in JSON. */
const controls = Array.from({ length: 31 }, (_, n) => n + 1)
const named: Readonly<Record<number, string>> = {
  8: raw`\b`,
  9: raw`\t`,
  10: raw`\n`,
  12: raw`\f`,
  13: raw`\r`,
}
const escapedControls = controls.map((n) => named[n] ?? raw`\u${n.toString(16).padStart(4, '0')}`).join('')
const sqlControls = `E'${controls.map((n) => raw`\u${n.toString(16).padStart(4, '0')}`).join('')}'`

export const text: Group = {
  name: 'text',
  types: `
    CREATE EXTENSION citext; CREATE EXTENSION ltree;
    CREATE TYPE "Mood 😀" AS ENUM ('so so', 'it''s "good"', 'ÄÖÜ', '');
    CREATE DOMAIN short_text AS varchar(10) CHECK (VALUE <> 'no');
    CREATE DOMAIN shorter_text AS short_text;`,
  cases: [
    kept('text, empty', 'text', "''", '""'),
    kept('text, null', 'text', 'NULL', 'null'),
    kept('text, blanks', 'text', "'  '", '"  "'),
    kept('text, quotes and backslashes', 'text', raw`E'"\\/''</script>'`, raw`"\"\\/'</script>"`),
    kept('text, control characters', 'text', sqlControls, `"${escapedControls}"`),
    kept(
      'text, DEL and line separators',
      'text',
      raw`E'\u007f\u0085\u2028\u2029\ufeff'`,
      '"\u007f\u0085\u2028\u2029\ufeff"',
    ),
    kept('text, emoji and combining marks', 'text', "'👩‍👩‍👧 e\u0301 नि 🏴'", '"👩‍👩‍👧 e\u0301 नि 🏴"'),
    kept('text, right to left', 'text', "'שלום مرحبا \u202e'", '"שלום مرحبا \u202e"'),
    kept('text, last code points', 'text', raw`E'\ufffd\uffff\U0010ffff'`, '"\ufffd\uffff\u{10ffff}"'),
    kept(
      'text, JSON and a bulk action',
      'text',
      raw`E'{"a":1}\n{"delete":{}}\n'`,
      raw`"{\"a\":1}\n{\"delete\":{}}\n"`,
    ),
    unstorable('text, NUL', 'text', 'chr(0)', '54000'),
    unstorable('text, a lone surrogate', 'text', raw`E'\ud800'`, '42601'),
    kept('text, a megabyte in one word', 'text', "repeat('x', 1048576)", `"${'x'.repeat(1048576)}"`),
    kept('text, two megabytes of two bytes', 'text', "repeat('ü ', 699051)", `"${'ü '.repeat(699051)}"`),
    kept('text as keyword, 32766 bytes', 'text', "repeat('ü', 16383)", `"${'ü'.repeat(16383)}"`, keyword),
    refused(
      'text as keyword, 32767 bytes',
      'text',
      "repeat('x', 32767)",
      [unparsed('keyword', immense), immense],
      keyword,
    ),
    kept('text as keyword with ignore_above', 'text', "repeat('x', 32767)", `"${'x'.repeat(32767)}"`, {
      type: 'keyword',
      ignore_above: 10,
    }),
    refused('text with the analyzer keyword, 32767 bytes', 'text', "repeat('x', 32767)", immense, {
      analyzer: 'keyword',
    }),
    kept('text as date', 'text', "'2024-02-29'", '"2024-02-29"', { type: 'date' }),
    refused(
      'text as date, none',
      'text',
      "'yesterday'",
      unparsed('date', 'failed to parse date field with format [strict_date_optional_time||epoch_millis]'),
      { type: 'date' },
    ),
    refused(
      'text as boolean, none',
      'text',
      "'yes'",
      unparsed('boolean', 'only [true] or [false] are allowed'),
      { type: 'boolean' },
    ),
    kept('text as integer', 'text', "'12'", '"12"', { type: 'integer' }),
    refused('text as integer, none', 'text', "'twelve'", unparsed('integer', 'not a number'), {
      type: 'integer',
    }),
    refused('text as ip, none', 'text', "'10.0.0.256'", unparsed('ip', 'not an IP string literal'), {
      type: 'ip',
    }),
    kept('text[]', 'text[]', "ARRAY['b', NULL, 'a', '']", '["b",null,"a",""]'),

    kept('varchar(3), emoji', 'varchar(3)', "'😀😀😀'", '"😀😀😀"'),
    kept('char(4)', 'char(4)', "'CH'", '"CH"'),
    kept('char(4)[]', 'char(4)[]', "'{CH,NULL}'", '["CH",null]'),
    kept('char, 32767 bytes', 'bpchar', "repeat('x', 32767)", `"${'x'.repeat(32767)}"`),
    kept('"char"', '"char"', "'a'", '"a"'),
    kept('"char", empty', '"char"', "''", '""'),
    kept('"char", above ASCII', '"char"', raw`'\351'`, raw`"\\351"`),
    kept('name, 63 bytes', 'name', `'${'n'.repeat(63)}'`, `"${'n'.repeat(63)}"`),
    kept('citext', 'citext', "'ABC abc'", '"ABC abc"'),
    kept('citext[]', 'citext[]', "'{A,a}'", '["A","a"]'),
    kept('enum, quotes', '"Mood 😀"', `'it''s "good"'`, raw`"it's \"good\""`),
    kept('enum, empty', '"Mood 😀"', "''", '""'),
    kept('enum[]', '"Mood 😀"[]', "'{ÄÖÜ,so so,NULL}'", '["ÄÖÜ","so so",null]'),
    kept('domain', 'shorter_text', "'abc'", '"abc"'),
    kept('domain[]', 'shorter_text[]', "'{abc,NULL}'", '["abc",null]'),
    unstorable('domain, forbidden', 'shorter_text', "'no'", '23514'),
    kept('uuid', 'uuid', "'{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    kept('bit(70)', 'bit(70)', `B'${'10'.repeat(35)}'`, `"${'10'.repeat(35)}"`),
    kept('bit varying, empty', 'bit varying', "B''", '""'),
    kept('bit varying, 40000 bits', 'bit varying', "repeat('1', 40000)::varbit", `"${'1'.repeat(40000)}"`),
    kept('xml', 'xml', `'<a b="1">ü<!-- c --></a>'`, raw`"<a b=\"1\">ü<!-- c --></a>"`),
    kept('xml, a fragment', 'xml', "'text <b/>'", '"text <b/>"'),
    kept('tsvector', 'tsvector', "'a:1A b:2,3'", raw`"'a':1A 'b':2,3"`),
    kept(
      'tsvector, 100000 bytes',
      'tsvector',
      "(SELECT string_agg('w' || n, ' ') FROM generate_series(10000, 19999) n)::tsvector",
      `"${Array.from({ length: 10000 }, (_, n) => `'w${n + 10000}'`).join(' ')}"`,
    ),
    kept('tsquery', 'tsquery', "'a & !b'", raw`"'a' & !'b'"`),
    kept('ltree', 'ltree', "'Top.Science'", '"Top.Science"'),
    kept('jsonpath', 'jsonpath', "'$.a[*] ? (@ > 1)'", raw`"$.\"a\"[*]?(@ > 1)"`),
  ],
}
