/**
 * What the index should hold, written by hand: it owes sluice nothing, so it can judge it.
 * One row for each document: `id` and `document`.
 */
export const truth = `
  SELECT city.id::text AS id,
         json_build_object(
           'id', city.id, 'name', city.name, 'sort_name', lower(city.name),
           'location', json_build_object('lat', lat, 'lon', lng),
           'country', json_build_object('code', country.code, 'name', country.name, 'continent', continent.name),
           'region', CASE WHEN region.id IS NOT NULL
                          THEN json_build_object('code', region.code, 'name', region.name) END,
           'district', district.name,
           'languages', coalesce(spoken.languages, '[]')) AS document
    FROM geo.city
    JOIN geo.country ON country.code = city.country_code
    JOIN geo.continent ON continent.code = country.continent_code
    LEFT JOIN geo.region ON region.id = city.region_id
    LEFT JOIN geo.district ON district.id = city.district_id
    LEFT JOIN (SELECT country_code, json_agg(name ORDER BY name, code) AS languages
                 FROM geo.country_language JOIN geo.language ON code = language
                GROUP BY country_code) spoken ON spoken.country_code = city.country_code
   WHERE active ORDER BY city.id`
