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
        'location.lat': 'lat',
        'location.lon': 'lng',
      },
      relations: {
        // Foreign keys are found in the catalog. When a country is renamed, all its cities are indexed anew.
        country: {
          one: 'geo.country',
          fields: ['code', 'name'],
          relations: { continent: { one: 'geo.continent', flatten: 'name' } },
        },
        region: { one: 'geo.region', fields: ['code', 'name'] },
        district: { one: 'geo.district', flatten: 'name' },
        // Many-to-many, and no foreign key leads from a city to its country's languages: "on" says what does.
        languages: {
          many: 'geo.language',
          through: { table: 'geo.country_language', on: { country_code: 'country_code' } },
          orderBy: 'name',
          flatten: 'name',
        },
      },
      mappings: { properties: { location: { type: 'geo_point' } } },
    },
  },
})
