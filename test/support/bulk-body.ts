/** One operation of a bulk body. */
export interface BulkOperation {
  readonly kind: 'index' | 'create' | 'update' | 'delete'
  readonly index: string
  readonly id: string
  /** Its document's line; deletes have none. */
  readonly document: string | null
  /** Its line or lines, as they are in the body. */
  readonly text: string
}

/** The operations of a bulk body. */
export function* operationsOf(body: string): Generator<BulkOperation> {
  for (let at = 0; at < body.length; ) {
    const from = at
    const end = lineEnd(body, at)
    const action = JSON.parse(body.slice(at, end)) as Record<string, { _index: string; _id: string }>
    at = end + 1
    const [[kind, operation] = []] = Object.entries(action)
    if (operation === undefined) throw new Error('an action line without an action')
    let document: string | null = null
    if (kind !== 'delete') {
      const documentEnd = lineEnd(body, at)
      document = body.slice(at, documentEnd)
      at = documentEnd + 1
    }
    const { _index: index, _id: id } = operation
    yield { kind: kind as BulkOperation['kind'], index, id, document, text: body.slice(from, at) }
  }
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end
}
