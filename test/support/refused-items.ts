import { type BulkOperation, operationsOf } from './bulk-body.ts'

/** What stands in an item's place in the answer: a status and Elasticsearch's error of that kind. */
export interface Refusal {
  readonly status: number
  readonly error: { readonly type: string; readonly reason: string }
}

/** A bulk body without the operations that are refused, and how its answer becomes that of the whole. */
export interface Sieved {
  /** What is left; empty where everything is refused. */
  readonly body: string
  /**
   * Puts the refusals in their places. `answer` is the JSON of the answer to `body`, or null where nothing was left to
   * ask. Throws where its items are not as many as were sent.
   */
  answered(answer: string | null): string
}

/** Refuses some operations of a bulk body, each as `refusal` says; null: it goes on. */
export function sieve(body: string, refusal: () => Refusal | null): Sieved {
  const operations = [...operationsOf(body)].map((operation) => ({ operation, refused: refusal() }))
  const passed = operations.filter(({ refused }) => refused === null)
  return {
    body: passed.map(({ operation }) => operation.text).join(''),
    answered: (answer) => {
      const real: BulkAnswer = answer === null ? { took: 0 } : JSON.parse(answer)
      const { items = [] } = real
      if (items.length !== passed.length)
        throw new Error(`${items.length} items for ${passed.length} operations`)
      const given = items.values()
      const all = operations.map(({ operation: { kind }, refused }) =>
        refused === null ? given.next().value : { [kind]: refused },
      )
      const errors = real.errors === true || passed.length < operations.length
      return JSON.stringify({ ...real, errors, items: all })
    },
  }
}

interface BulkAnswer {
  readonly took: number
  readonly errors?: boolean
  readonly items?: readonly Partial<Record<BulkOperation['kind'], unknown>>[]
}
