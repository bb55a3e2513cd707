import type { ClientBase, Connection, Submittable } from 'pg'

/** Makes a value of its bytes, from one position to another. */
type Decoder<Value> = (page: Buffer, start: number, end: number) => Value

/** What to make of each column; NULL is null, which the column's type has to allow for. */
type Decoders<Row extends readonly unknown[]> = { readonly [N in keyof Row]: Decoder<Row[N]> }

/** A bigint of up to 48 bits that is not negative. */
export const count: Decoder<number> = (page, start, end) => {
  if (end - start !== 8) throw new RangeError(`${end - start} bytes are no bigint`)
  return page.readUIntBE(start + 2, 6)
}

export const text: Decoder<string> = (page, start, end) => page.toString('utf8', start, end)

/** Text or json as UTF-8. */
export const bytes: Decoder<Buffer> = (page, start, end) => page.subarray(start, end)

/** Signature, flags and length of the header's extension: https://www.postgresql.org/docs/current/sql-copy.html, Binary Format. */
const HEADER_BYTES = 11 + 4 + 4

/** Several rows share a page. The first is small, for most loads are of a row or two; each is twice the one before. */
const FIRST_PAGE_BYTES = 8 * 1024
const LAST_PAGE_BYTES = 128 * 1024

/**
 * Rows of a `COPY … TO STDOUT (FORMAT binary)`, whose values need not become text: pg makes a string of each value of a query,
 * in the heap, which the garbage collector then copies twice while the row waits to be sent. Rejects as `client.query` does, its
 * time-out included.
 */
export function copyRows<Row extends readonly unknown[]>(
  client: ClientBase,
  sql: string,
  decoders: Decoders<Row>,
): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    client.query(
      new CopyOut(sql, decoders, (error, rows) => {
        if (error === null) resolve(rows)
        else reject(error)
      }),
    )
  })
}

/** What pg's Client takes for a query: it calls `submit`, then a method for each message. */
class CopyOut<Row extends readonly unknown[]> implements Submittable {
  /** Called once. pg puts one of its own around it where statements have a time-out. */
  callback: (error: Error | null, rows: readonly Row[]) => void
  /** Named as in pg's own queries. */
  readonly text: string
  readonly #decoders: readonly Decoder<unknown>[]
  readonly #rows: Row[] = []
  #page = Buffer.alloc(0)
  #end = 0
  #hasHeader = false
  #malformed: Error | null = null

  constructor(sql: string, decoders: Decoders<Row>, callback: CopyOut<Row>['callback']) {
    this.text = sql
    this.#decoders = decoders
    this.callback = callback
  }

  submit(connection: Connection): void {
    connection.query(this.text)
  }

  /** Always one per row: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY. */
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#malformed !== null) return
    try {
      this.#read(chunk)
    } catch (error) {
      // Thrown from here, nobody would catch it: pg calls this when bytes arrive.
      this.#malformed = new Error('COPY sent what is no row', { cause: error })
    }
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(this.#malformed, this.#rows)
  }

  handleError(error: Error): void {
    this.callback(error, [])
  }

  #read(chunk: Buffer): void {
    let start = 0
    if (!this.#hasHeader) {
      this.#hasHeader = true
      start = HEADER_BYTES + chunk.readUInt32BE(HEADER_BYTES - 4)
    }
    const columns = chunk.readInt16BE(start)
    // The trailer.
    if (columns === -1) return
    if (columns !== this.#decoders.length) throw new RangeError(`${columns} columns`)
    this.#rows.push(this.#decode(this.#keep(chunk, start + 2)))
  }

  /** Copies a row to the page, for what a message brought is overwritten by those after it; returns where. */
  #keep(chunk: Buffer, from: number): number {
    const length = chunk.length - from
    if (this.#end + length > this.#page.length) {
      const size = Math.min(Math.max(this.#page.length * 2, FIRST_PAGE_BYTES), LAST_PAGE_BYTES)
      this.#page = Buffer.allocUnsafeSlow(Math.max(size, length))
      this.#end = 0
    }
    const start = this.#end
    this.#end += chunk.copy(this.#page, start, from)
    return start
  }

  #decode(start: number): Row {
    const page = this.#page
    let at = start
    const values = this.#decoders.map((decode) => {
      const length = page.readInt32BE(at)
      at += 4
      if (length < 0) return null
      const end = at + length
      const value = decode(page, at, end)
      at = end
      return value
    })
    return values as readonly unknown[] as Row
  }
}
