import type { Operation } from '../../src/elasticsearch/types.ts'

/** An operation of a bulk request; the documents of a request are told apart by `n`. */
export const operation = (n: number, kind: Operation['kind'] = 'index', index = 'cities'): Operation => ({
  kind,
  index,
  id: String(n),
  key: String(n),
  body: Buffer.from('{}'),
})
