import { inject } from 'vitest'
import { describeClient } from './elasticsearch-contract.ts'

// The run's server: 8.19, unless ELASTICSEARCH_URL names another.
describeClient('Elasticsearch', () => ({
  url: inject('elasticsearchUrl'),
  product: 'elasticsearch',
  version: /^[89]\.\d+\.\d+/,
}))
