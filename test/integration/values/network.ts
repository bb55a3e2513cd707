import { type Group, kept, notFinite, refused, unparsed } from './case.ts'

const ip = { type: 'ip' }
const ipRange = { type: 'ip_range' }
const geoPoint = { type: 'geo_point' }
const keyword = { type: 'keyword' }

/** PostGIS is not among the extensions of the Postgres that npm has: its types are not tried here. */
export const network: Group = {
  name: 'network',
  cases: [
    kept('inet', 'inet', "'10.1.2.3'", '"10.1.2.3"'),
    kept('inet, with a mask', 'inet', "'10.1.2.3/8'", '"10.1.2.3/8"'),
    kept('inet, IPv6', 'inet', "'2001:DB8::1/64'", '"2001:db8::1/64"'),
    kept('inet as ip', 'inet', "'10.1.2.3/8'", '"10.1.2.3"', ip),
    kept('inet as ip, IPv4 in IPv6', 'inet', "'::ffff:1.2.3.4'", '"::ffff:1.2.3.4"', ip),
    kept('inet[] as ip', 'inet[]', "'{10.0.0.1/8,NULL,::1}'", '["10.0.0.1",null,"::1"]', ip),
    kept('inet as ip_range', 'inet', "'10.1.2.3'", '"10.1.2.3/32"', ipRange),
    kept('inet as ip_range, host bits', 'inet', "'10.1.2.3/8'", '"10.1.2.3/8"', ipRange),
    kept('cidr', 'cidr', "'10.0.0.0/8'", '"10.0.0.0/8"'),
    kept('cidr as ip', 'cidr', "'10.0.0.0/8'", '"10.0.0.0"', ip),
    kept('cidr as ip_range, everything', 'cidr', "'0.0.0.0/0'", '"0.0.0.0/0"', ipRange),
    kept('cidr as ip_range, IPv6', 'cidr', "'2001:db8::/32'", '"2001:db8::/32"', ipRange),
    kept('macaddr', 'macaddr', "'08-00-2B-01-02-03'", '"08:00:2b:01:02:03"'),
    kept('macaddr8', 'macaddr8', "'08:00:2b:01:02:03'", '"08:00:2b:ff:fe:01:02:03"'),
    kept('pg_lsn, largest', 'pg_lsn', "'FFFFFFFF/FFFFFFFF'", '"FFFFFFFF/FFFFFFFF"'),
    kept('xid8', 'xid8', "'18446744073709551615'", '"18446744073709551615"'),

    kept('point', 'point', "'(1.5,-0)'", '{"x" : 1.5, "y" : -0}'),
    kept('point, null', 'point', 'NULL', 'null'),
    refused('point, NaN', 'point', "'(NaN,1)'", notFinite),
    kept('point as keyword', 'point', "'(1,Infinity)'", '"(1,Infinity)"', keyword),
    kept('point as geo_point', 'point', "'(8.54,47.37)'", '{"lon" : 8.54, "lat" : 47.37}', geoPoint),
    kept('point as geo_point, a corner', 'point', "'(180,-90)'", '{"lon" : 180, "lat" : -90}', geoPoint),
    refused(
      'point as geo_point, beyond the pole',
      'point',
      "'(8.54,90.1)'",
      unparsed('geo_point', 'illegal latitude value'),
      geoPoint,
    ),
    refused('point as geo_point, infinite', 'point', "'(Infinity,1)'", notFinite, geoPoint),
    kept(
      'point[] as geo_point',
      'point[]',
      `'{"(1,2)","(3,4)"}'`,
      '[{"lon" : 1, "lat" : 2},{"lon" : 3, "lat" : 4}]',
      geoPoint,
    ),
    kept('text as geo_point', 'text', "'47.37,8.54'", '"47.37,8.54"', geoPoint),
    kept(
      'text as geo_point, well known text',
      'text',
      "'POINT (8.54 47.37)'",
      '"POINT (8.54 47.37)"',
      geoPoint,
    ),
    refused(
      'text as geo_point, none',
      'text',
      "'nowhere!'",
      unparsed('geo_point', 'unsupported symbol in geohash'),
      geoPoint,
    ),
    kept(
      'jsonb as geo_point',
      'jsonb',
      `'{"lat":47.37,"lon":8.54}'`,
      '{"lat": 47.37, "lon": 8.54}',
      geoPoint,
    ),
    kept('double[] as geo_point', 'double precision[]', "'{8.54,47.37}'", '[8.54,47.37]', geoPoint),
    kept('box', 'box', "'(1,2),(3,4)'", '"(3,4),(1,2)"'),
    kept('box[]', 'box[]', "'{(1,2),(3,4);(0,0),(1,1)}'", '["(3,4),(1,2)","(1,1),(0,0)"]'),
    kept('line', 'line', "'{1,-1,0}'", '"{1,-1,0}"'),
    kept('polygon', 'polygon', "'((0,0),(0,1),(1,1))'", '"((0,0),(0,1),(1,1))"'),
    kept('circle, infinite', 'circle', "'<(0,0),Infinity>'", '"<(0,0),Infinity>"'),
  ],
}
