import type { DocumentDefinition } from '../../src/config/types.ts'
import type { Fault } from '../support/fault-proxy.ts'

/** One way in which a single row among a thousand can be one that does not get to be a document. */
export interface Poison {
  readonly name: string
  /** Table and document in one. */
  readonly document: string
  /** Columns beside `id` (of this type), `title` and `body`. */
  readonly id?: string
  readonly columns: string
  /** The rest of the definition. */
  readonly definition: Partial<DocumentDefinition>
  /** SET clause that spoils the chosen row. */
  readonly spoil: string
  /** What happens to each request that holds it, instead of an answer; otherwise Elasticsearch says what is wrong with it. */
  readonly silence?: Fault
}

/** What the spoilt row of a silent way is known by. */
export const CHOKING = 'a proxy, or a node, chokes on this'

/** Of the way that waits for it a dozen times, milliseconds. Long enough for a thousand documents on a busy machine. */
export const REQUEST_TIMEOUT = '2000'

const page = '<html><body>not Elasticsearch</body></html>'

const silences: Readonly<Record<string, Fault>> = {
  'the connection is cut': { kind: 'reset-before' },
  '502 of a proxy': { kind: 'answer', status: 502, body: page },
  '504 of a proxy': { kind: 'answer', status: 504, body: page },
  '500 for the whole request': { kind: 'answer', status: 500, body: page },
  'no answer until REQUEST_TIMEOUT': { kind: 'hang' },
}

/**
 * `http.max_content_length` of the cell's Elasticsearch, under our own limit of a request (1 MiB): so a document can be
 * too large for the server and still travel with others. The default is 100 MB.
 */
export const MAX_CONTENT = '900kb'

export const poisons: readonly Poison[] = [
  {
    name: 'immense keyword',
    document: 'immense_keyword',
    columns: 'code text',
    definition: { mappings: { properties: { code: { type: 'keyword' } } } },
    spoil: `code = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1100) n)`,
  },
  {
    name: 'field outside the strict mapping',
    document: 'strict_mapping',
    columns: 'details jsonb',
    definition: {
      mappings: {
        properties: {
          details: {
            type: 'object',
            dynamic: 'strict',
            enabled: true,
            properties: { size: { type: 'integer' } },
          },
        },
      },
    },
    spoil: `details = '{"colour": "red"}'`,
  },
  {
    name: 'malformed date',
    document: 'malformed_date',
    columns: 'day text',
    definition: { mappings: { properties: { day: { type: 'date' } } } },
    spoil: `day = 'the day before yesterday'`,
  },
  {
    name: 'id over 512 bytes',
    document: 'long_id',
    id: 'text',
    columns: 'code text',
    definition: {},
    spoil: `id = repeat('x', 600)`,
  },
  {
    name: 'infinite date',
    document: 'infinite_date',
    columns: 'at timestamptz',
    definition: {},
    spoil: `at = 'infinity'`,
  },
  {
    name: 'too large for the server (413), alone',
    document: 'too_large',
    columns: 'code text',
    definition: { mappings: { properties: { code: { type: 'text', index: false } } } },
    spoil: `code = (SELECT string_agg(md5(n::text), ' ') FROM generate_series(1, 80_000) n)`,
  },
  {
    name: 'too large for the server (413), among others',
    document: 'large_among_others',
    columns: 'code text',
    definition: { mappings: { properties: { code: { type: 'text', index: false } } } },
    spoil: `code = (SELECT string_agg(md5(n::text), ' ') FROM generate_series(1, 28_500) n)`,
  },
  {
    name: 'expression that fails (22012)',
    document: 'division_by_zero',
    columns: 'pieces integer DEFAULT 1',
    definition: { fields: { id: 'id', title: 'title', body: 'body', each: { sql: '100 / pieces' } } },
    spoil: 'pieces = 0',
  },
  ...Object.entries(silences).map(
    ([name, silence], n): Poison => ({
      name,
      document: `silent_${n + 1}`,
      columns: 'code text',
      definition: {},
      spoil: `code = '${CHOKING}'`,
      silence,
    }),
  ),
]
