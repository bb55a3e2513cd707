/**
 * What the index should hold, written by hand: it owes sluice nothing, so it can judge it.
 * One row for each document: `id` and `document`.
 */
export const truth = `
  SELECT id::text AS id,
         json_build_object(
           'id', id, 'name', name, 'sort_name', lower(name), 'country_code', country_code,
           'region_id', region_id, 'district_id', district_id,
           'location', json_build_object('lat', lat, 'lon', lng)) AS document
    FROM geo.city WHERE active ORDER BY id`
