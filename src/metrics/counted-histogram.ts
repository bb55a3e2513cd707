import { Histogram, type HistogramConfiguration } from 'prom-client'

interface Counted<T extends string> {
  readonly labels: Readonly<Record<T, string>>
  readonly counts: number[]
  sum: number
}

type Value = { readonly metricName: string; readonly labels: object; readonly value: number }

/**
 * A histogram that takes observations already counted by bucket: a batch of a thousand documents comes with seventeen
 * numbers (Tally), not with a thousand.
 */
export class CountedHistogram<T extends string> extends Histogram<T> {
  readonly #name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  readonly #series = new Map<string, Counted<T>>()

  constructor(configuration: HistogramConfiguration<T> & { readonly buckets: number[] }) {
    super(configuration)
    this.#name = configuration.name
    this.#help = configuration.help
    this.#bounds = configuration.buckets
  }

  /** Adds observations. @param counts one number for each bucket, and one for what is above them all */
  add(labels: Readonly<Record<T, string>>, counts: readonly number[], sum: number): void {
    const name = JSON.stringify(labels)
    let series = this.#series.get(name)
    if (series === undefined) {
      series = { labels, counts: [], sum: 0 }
      this.#series.set(name, series)
    }
    for (let n = 0; n <= this.#bounds.length; n++)
      series.counts[n] = (series.counts[n] ?? 0) + (counts[n] ?? 0)
    series.sum += sum
  }

  override async get(): ReturnType<Histogram<T>['get']> {
    const values = [...this.#series.values()].flatMap((series) => this.#valuesOf(series))
    // prom-client's types know of no label "le", which its own histograms have.
    return { name: this.#name, help: this.#help, type: this.#type, values, aggregator: 'sum' } as never
  }

  /** The registry asks for this one, when it prints. */
  getForPromString(): ReturnType<Histogram<T>['get']> {
    return this.get()
  }

  get #type(): 'histogram' {
    return 'histogram'
  }

  #valuesOf({ labels, counts, sum }: Counted<T>): Value[] {
    let total = 0
    const buckets = counts.map((count, n) => {
      total += count
      return {
        metricName: `${this.#name}_bucket`,
        labels: { le: this.#bounds[n] ?? '+Inf', ...labels },
        value: total,
      }
    })
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels, value: sum },
      { metricName: `${this.#name}_count`, labels, value: total },
    ]
  }
}
