import type { DocumentPlan } from '../../src/documents/types.ts'
import { AUTHOR, DOCUMENT } from './application.ts'
import { LOAD_SQL } from './memory-documents.ts'

/** As `install` would have made it. */
export const plan: DocumentPlan = {
  document: DOCUMENT,
  table: { schema: 'public', name: 'article' },
  key: [{ name: 'id', type: 'bigint' }],
  walkOrder: [0],
  idParts: 1,
  address: { tenant: null, routing: null },
  view: 'document_article',
  viewSql: '',
  loadSql: LOAD_SQL,
  index: DOCUMENT,
  mappings: {},
  settings: {},
  pipeline: null,
  transform: false,
  sources: [
    { source: '', expansion: null },
    { source: AUTHOR, expansion: { view: 'roots_author', viewSql: '', links: ['bigint'] } },
  ].map((source) => ({
    ...source,
    table: { schema: 'public', name: source.source === '' ? 'article' : 'author' },
    key: [{ name: 'id', type: 'bigint' }],
    rowKey: [{ name: 'id', type: 'bigint' }],
    usedColumns: [],
    compare: false,
    capture: 'statement',
    always: false,
    leaves: [],
  })),
  missingIndexes: [],
  columns: { used: [], omitted: [] },
  warnings: [],
}
