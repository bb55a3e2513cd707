import { type Group, kept, noSuchDate, notFinite, refused, unparsed, unstorable } from './case.ts'

const keyword = { type: 'keyword' }

/** The same instant in every offset that a time zone has had in living memory, quarter hours included. */
const offsets = Array.from({ length: 105 }, (_, n) => n - 48).map((quarters) => {
  const minutes = Math.abs(quarters) * 15
  const pad = (n: number) => String(n).padStart(2, '0')
  return `${quarters < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`
})
const noons = offsets.map((offset) => `2024-02-29 12:00:00${offset}`)
const noonsInUtc = offsets.map((offset) =>
  new Date(`2024-02-29T12:00:00${offset}`).toISOString().replace('.000', ''),
)

export const dates: Group = {
  name: 'dates',
  cases: [
    kept('date, first', 'date', "'0001-01-01'", '"0001-01-01"'),
    kept('date, last', 'date', "'9999-12-31'", '"9999-12-31"'),
    kept('date, leap day', 'date', "'2000-02-29'", '"2000-02-29"'),
    kept('date, null', 'date', 'NULL', 'null'),
    unstorable('date, no leap day', 'date', "'1900-02-29'", '22008'),
    refused('date, infinity', 'date', "'infinity'", noSuchDate),
    refused('date, -infinity', 'date', "'-infinity'", noSuchDate),
    refused('date, before Christ', 'date', "'0001-12-31 BC'", noSuchDate),
    refused('date, earliest', 'date', "'4713-01-01 BC'", noSuchDate),
    refused('date, after 9999', 'date', "'10000-01-01'", noSuchDate),
    refused('date, latest', 'date', "'5874897-12-31'", noSuchDate),
    kept('date as keyword, infinity', 'date', "'infinity'", '"infinity"', keyword),
    kept('date as keyword, before Christ', 'date', "'0044-03-15 BC'", '"0044-03-15 BC"', keyword),
    kept('date[]', 'date[]', "'{0001-01-01,NULL}'", '["0001-01-01",null]'),
    refused('date[], with infinity', 'date[]', "'{2024-01-01,infinity}'", noSuchDate),

    kept(
      'timestamp, microseconds',
      'timestamp',
      "'2024-02-29 12:00:00.123456'",
      '"2024-02-29T12:00:00.123456Z"',
    ),
    kept('timestamp, first', 'timestamp', "'0001-01-01'", '"0001-01-01T00:00:00Z"'),
    kept('timestamp, last', 'timestamp', "'9999-12-31 23:59:59.999999'", '"9999-12-31T23:59:59.999999Z"'),
    refused('timestamp, infinity', 'timestamp', "'infinity'", noSuchDate),
    refused('timestamp, latest', 'timestamp', "'294276-12-31 23:59:59.999999'", noSuchDate),
    refused('timestamp, before Christ', 'timestamp', "'0044-03-15 12:00 BC'", noSuchDate),

    kept('timestamptz, 105 offsets', 'timestamptz[]', `'{${noons.join(',')}}'`, JSON.stringify(noonsInUtc)),
    kept(
      'timestamptz, local mean time',
      'timestamptz',
      "'1883-11-18 12:00 America/New_York'",
      '"1883-11-18T17:00:00Z"',
    ),
    kept(
      'timestamptz, seconds in the offset',
      'timestamptz',
      "'1880-01-01 00:00 Asia/Kathmandu'",
      '"1879-12-31T18:18:44Z"',
    ),
    kept(
      'timestamptz, in a gap of summer time',
      'timestamptz',
      "'2024-03-10 02:30 America/New_York'",
      '"2024-03-10T07:30:00Z"',
    ),
    kept(
      'timestamptz, in an hour that comes twice',
      'timestamptz',
      "'2024-11-03 01:30 America/New_York'",
      '"2024-11-03T06:30:00Z"',
    ),
    kept('timestamptz, leap second', 'timestamptz', "'2016-12-31 23:59:60+00'", '"2017-01-01T00:00:00Z"'),
    kept('timestamptz, first', 'timestamptz', "'0001-01-01 00:00+00'", '"0001-01-01T00:00:00Z"'),
    kept(
      'timestamptz, last',
      'timestamptz',
      "'9999-12-31 23:59:59.999999+00'",
      '"9999-12-31T23:59:59.999999Z"',
    ),
    refused('timestamptz, the year 10000 in UTC alone', 'timestamptz', "'9999-12-31 23:30-01'", noSuchDate),
    refused('timestamptz, before Christ in UTC alone', 'timestamptz', "'0001-01-01 00:30+01'", noSuchDate),
    refused('timestamptz, -infinity', 'timestamptz', "'-infinity'", noSuchDate),
    kept('timestamptz as keyword, infinity', 'timestamptz', "'infinity'", '"infinity"', keyword),
    kept(
      'timestamptz as keyword, before Christ',
      'timestamptz',
      "'0044-03-15 12:00+00 BC'",
      '"0044-03-15T12:00:00 BC"',
      keyword,
    ),
    kept(
      'timestamptz as date_nanos',
      'timestamptz',
      "'2024-02-29 12:00:00.123456+00'",
      '"2024-02-29T12:00:00.123456Z"',
      { type: 'date_nanos' },
    ),
    refused(
      'timestamptz as date_nanos, before 1970',
      'timestamptz',
      "'1969-12-31 23:59:59+00'",
      unparsed('date_nanos', 'date is before what nanosecond resolution can hold'),
      { type: 'date_nanos' },
    ),
    refused(
      'timestamptz as date_nanos, after 2262',
      'timestamptz',
      "'2263-01-01 00:00+00'",
      unparsed('date_nanos', 'date is after what nanosecond resolution can hold'),
      { type: 'date_nanos' },
    ),

    kept('time, end of the day', 'time', "'24:00'", '"24:00:00"'),
    kept('time, microseconds', 'time', "'23:59:59.999999'", '"23:59:59.999999"'),
    kept('timetz', 'timetz', "'08:00:00.5+05:45'", '"08:00:00.5+05:45"'),

    kept(
      'interval, of mixed signs',
      'interval',
      "'1 year -2 mons 3 days -00:00:04.5'",
      '"P0Y10M3DT0H0M-4.5S"',
    ),
    kept('interval, nothing', 'interval', "'0'", '"P0Y0M0DT0H0M0S"'),
    kept('interval, longest', 'interval', "'178000000 years'", '"P178000000Y0M0DT0H0M0S"'),
    kept(
      'interval, most negative',
      'interval',
      "'-178000000 years -1 microsecond'",
      '"P-178000000Y0M0DT0H0M-0.000001S"',
    ),
    { ...kept('interval, infinity', 'interval', "'infinity'", '"infinity"'), since: 17 },
    kept('interval, as long', 'interval', "'1 day 00:00:01.5'", '86401.500000', { type: 'long' }),
    {
      ...refused('interval as long, infinity', 'interval', "'-infinity'", notFinite, { type: 'long' }),
      since: 17,
    },
    kept('interval[]', 'interval[]', "'{1 mon,NULL}'", '["P0Y1M0DT0H0M0S",null]'),

    kept('daterange', 'daterange', "'[2024-01-01,2024-12-31]'", '{"gte":"2024-01-01","lt":"2025-01-01"}'),
    kept('daterange, infinite', 'daterange', "'[-infinity,infinity]'", '{}'),
    kept('daterange, unbounded', 'daterange', "'(,)'", '{}'),
    kept('daterange, empty', 'daterange', "'empty'", 'null'),
    refused('daterange, from before Christ', 'daterange', "'[0044-03-15 BC,2024-01-01)'", noSuchDate),
    refused('daterange, to the last day', 'daterange', "'[2024-01-01,9999-12-31]'", noSuchDate),
    kept('tsrange, until infinity', 'tsrange', "'[2024-01-01,infinity)'", '{"gte":"2024-01-01T00:00:00Z"}'),
    kept(
      'tstzrange',
      'tstzrange',
      "'(2024-01-01 00:00+01,2024-01-02 00:00+01]'",
      '{"gt":"2023-12-31T23:00:00Z","lte":"2024-01-01T23:00:00Z"}',
    ),
    refused(
      'tstzrange, within a millisecond',
      'tstzrange',
      "'(2024-01-01 00:00:00.0001+00,2024-01-01 00:00:00.0002+00)'",
      unparsed('date_range', 'min value is greater than max value'),
    ),
    kept(
      'tstzmultirange',
      'tstzmultirange',
      "'{[2024-01-01 00:00+00,2024-01-02 00:00+00),[2025-01-01 00:00+00,)}'",
      '[{"gte":"2024-01-01T00:00:00Z","lt":"2024-01-02T00:00:00Z"},{"gte":"2025-01-01T00:00:00Z"}]',
    ),
    refused(
      'datemultirange, after 9999',
      'datemultirange',
      "'{[2024-01-01,2024-01-02),[10000-01-02,)}'",
      noSuchDate,
    ),
  ],
}
