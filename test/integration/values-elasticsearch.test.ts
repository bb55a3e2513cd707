import { inject } from 'vitest'
import { describeValues } from './values/contract.ts'

describeValues('Elasticsearch 8', { url: () => inject('elasticsearchUrl') })
