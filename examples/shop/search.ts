/** What a visitor asked for. */
export interface Query {
  /** Words in name, description or reviews; misspelt ones are found, too. */
  readonly q?: string
  readonly brand?: readonly string[]
  readonly category?: readonly string[]
  readonly tag?: readonly string[]
  readonly minPrice?: number
  readonly maxPrice?: number
  /** From 1. */
  readonly page: number
}

export interface FacetValue {
  readonly value: string
  /** Products there would be with this value instead of those that are chosen of the same facet. */
  readonly count: number
}

export interface Found {
  readonly total: number
  readonly products: readonly Readonly<Record<string, unknown>>[]
  readonly facets: Readonly<Record<Facet, readonly FacetValue[]>>
}

const PAGE_SIZE = 20

/** Fields of the document that can be chosen by. */
const facetFields = { brand: 'brand', category: 'category.name', tag: 'tags' } as const
type Facet = keyof typeof facetFields
const facets = Object.keys(facetFields) as Facet[]

/**
 * The request's body. Prices narrow everything; a facet's own choice narrows the products and the other facets (which is
 * why it is in post_filter and in their filters), and leaves its own values to choose from.
 */
function searchBody(query: Query): object {
  const chosen = facets.flatMap((facet) => {
    const values = query[facet] ?? []
    return values.length === 0 ? [] : [{ facet, filter: { terms: { [facetFields[facet]]: values } } }]
  })
  const price = { gte: query.minPrice, lte: query.maxPrice }
  return {
    from: (query.page - 1) * PAGE_SIZE,
    size: PAGE_SIZE,
    track_total_hits: true,
    _source: { excludes: ['reviews'] },
    query: {
      bool: {
        must: query.q === undefined ? [{ match_all: {} }] : [words(query.q)],
        filter: price.gte === undefined && price.lte === undefined ? [] : [{ range: { price } }],
      },
    },
    post_filter: { bool: { filter: chosen.map(({ filter }) => filter) } },
    // By key where scores are equal: a page shows nothing twice.
    sort: ['_score', { id: 'asc' }],
    aggs: Object.fromEntries(
      facets.map((facet) => [
        facet,
        {
          filter: {
            bool: { filter: chosen.filter((other) => other.facet !== facet).map(({ filter }) => filter) },
          },
          aggs: { values: { terms: { field: facetFields[facet], size: 50 } } },
        },
      ]),
    ),
  }
}

function words(q: string): object {
  return {
    multi_match: {
      query: q,
      fields: ['name^3', 'description', 'reviews.text'],
      // One letter from four on: with two, a kettle would be a bottle.
      fuzziness: 'AUTO:4,9',
      operator: 'and',
    },
  }
}

interface Answer {
  readonly hits: {
    readonly total: { readonly value: number }
    readonly hits: readonly { readonly _source: Readonly<Record<string, unknown>> }[]
  }
  readonly aggregations: Readonly<
    Record<
      Facet,
      {
        readonly values: { readonly buckets: readonly { readonly key: string; readonly doc_count: number }[] }
      }
    >
  >
}

/** Asks the index. Any client does; with fetch alone it works with Elasticsearch and OpenSearch alike. */
export async function searchProducts(elasticsearch: string, index: string, query: Query): Promise<Found> {
  const response = await fetch(new URL(`/${index}/_search`, elasticsearch), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(searchBody(query)),
  })
  if (!response.ok) throw new Error(`search: ${response.status} ${await response.text()}`)
  const { hits, aggregations } = (await response.json()) as Answer
  const valuesOf = (facet: Facet) =>
    aggregations[facet].values.buckets.map(({ key, doc_count }) => ({ value: key, count: doc_count }))
  return {
    total: hits.total.value,
    products: hits.hits.map(({ _source }) => _source),
    facets: { brand: valuesOf('brand'), category: valuesOf('category'), tag: valuesOf('tag') },
  }
}
