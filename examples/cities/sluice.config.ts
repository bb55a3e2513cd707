import { defineConfig, sql } from '../../src/index.ts' // in your project: from 'sluice'

export default defineConfig({
  documents: {
    city: {
      table: 'geo.city',
      index: 'cities',
      where: 'active', // a city that is switched off disappears from the index
      // internal_notes and updated_at stay out: a change of those alone costs no mark.
      fields: {
        id: 'id',
        name: 'name',
        sort_name: sql('lower(name)'),
        country_code: 'country_code',
        region_id: 'region_id',
        district_id: 'district_id',
        'location.lat': 'lat',
        'location.lon': 'lng',
      },
      mappings: { properties: { location: { type: 'geo_point' } } },
    },
  },
})
