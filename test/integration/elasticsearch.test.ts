import { inject } from 'vitest'
import { describeClient } from './elasticsearch-contract.ts'

// The run's server: Elasticsearch 8.19, unless ELASTICSEARCH_URL names another.
describeClient('Elasticsearch', () => {
  const product = inject('searchProduct')
  const version = product === 'opensearch' ? /^3\.\d+\.\d+/ : /^[89]\.\d+\.\d+/
  return { url: inject('elasticsearchUrl'), product, version }
})
