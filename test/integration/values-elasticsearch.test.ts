import { inject } from 'vitest'
import { describeValues } from './values/contract.ts'

// The run's server: Elasticsearch 8.19, unless ELASTICSEARCH_URL names another.
describeValues('Elasticsearch', {
  url: () => inject('elasticsearchUrl'),
  openSearch: inject('searchProduct') === 'opensearch',
})
