/** The body of a bulk request. Pure: no network. */
import type { Operation } from './types.ts'

/** Elasticsearch's limit for an `_id`, in UTF-8 bytes. One id too long fails the request of a thousand others. */
const maxIdBytes = 512

/** Digits of the largest external version, 2^63 - 1. */
const versionDigits = 19

/** `{"delete":{"_index":"","version":,"version_type":"external_gte","_id":}}` and its newline, without the values; `index` is a byte shorter. */
const actionBytes = 74

/** `,"routing":` */
const routingBytes = 11

/** `"pipeline":,` */
const pipelineBytes = 12

/** Of an operation that has none: the next action would be taken for it. */
const EMPTY = Buffer.from('{}')

const NEWLINE = 0x0a

/** Why Elasticsearch would refuse this `_id` (and with it the whole request), or null. */
export function idProblem(id: string): string | null {
  if (id === '') return 'the id is empty'
  // No UTF-16 unit takes more than three bytes of UTF-8: most ids need no count.
  if (id.length * 3 <= maxIdBytes) return null
  const bytes = Buffer.byteLength(id)
  return bytes > maxIdBytes
    ? `the id has ${bytes} bytes, more than the ${maxIdBytes} Elasticsearch allows`
    : null
}

/**
 * Operations → the NDJSON body of one bulk request, each with the batch's external version (invariant 7).
 * Bodies pass through as Postgres printed them, and the version is written from its digits (as a number, JSON would
 * round it beyond 2^53). Bodies must hold no raw newline.
 *
 * Written at once into a buffer outside the heap: joined as text first, every request left a string of a megabyte to
 * the garbage collector, which comes by seldom for those.
 *
 * The buffer is the body's alone, however short: whoever has its answer may give its memory back (send.ts).
 */
export function encodeBulk(operations: readonly Operation[], version: bigint): Buffer {
  const digits = String(version)
  const heads = new Map<string, string>()
  const bytes = Buffer.allocUnsafeSlow(
    operations.reduce((sum, operation) => sum + operationBytes(operation), 0),
  )
  let end = 0
  let lastKind = ''
  let lastIndex = ''
  let lastPipeline: string | undefined
  let head = ''
  for (const operation of operations) {
    const { kind, index, id, routing, pipeline, body = EMPTY } = operation
    if (kind !== lastKind || index !== lastIndex || pipeline !== lastPipeline) {
      lastKind = kind
      lastIndex = index
      lastPipeline = pipeline
      head = headOf(heads, { kind, index, pipeline }, digits)
    }
    const rest = routing === undefined ? '}}\n' : `,"routing":${quoted(routing)}}}\n`
    end += bytes.write(head + quoted(id) + rest, end)
    if (kind === 'delete') continue
    end += body.copy(bytes, end)
    bytes[end++] = NEWLINE
  }
  return bytes.subarray(0, end)
}

interface Head {
  readonly kind: Operation['kind']
  readonly index: string
  readonly pipeline: string | undefined
}

/** An action line up to its id; the same for all operations of one kind, index and pipeline. */
function headOf(heads: Map<string, string>, { kind, index, pipeline }: Head, digits: string): string {
  const name = `${kind} ${index} ${pipeline ?? ''}`
  const known = heads.get(name)
  if (known !== undefined) return known
  const through = pipeline === undefined ? '' : `"pipeline":${JSON.stringify(pipeline)},`
  const head = `{"${kind}":{"_index":${JSON.stringify(index)},${through}"version":${digits},"version_type":"external_gte","_id":`
  heads.set(name, head)
  return head
}

/** UTF-8 bytes an operation takes in a bulk body; at most a few too many (version and short escapes are estimated upwards). */
export function operationBytes(operation: Operation): number {
  const { kind, index, id, routing, pipeline } = operation
  let bytes = actionBytes + versionDigits + Buffer.byteLength(index) + jsonBytes(id)
  if (routing !== undefined) bytes += routingBytes + jsonBytes(routing)
  if (pipeline !== undefined) bytes += pipelineBytes + jsonBytes(pipeline)
  if (kind === 'index') bytes += bodyBytes(operation) + 1
  return bytes
}

/** UTF-8 bytes of an operation's document; a delete has none. */
export function bodyBytes({ kind, body = EMPTY }: Pick<Operation, 'kind' | 'body'>): number {
  return kind === 'delete' ? 0 : body.length
}

/** Most ids: numbers, UUIDs, words. */
const PLAIN = /^[\w.:-]*$/

/** A string as JSON. */
function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** UTF-8 bytes of a string as JSON. */
function jsonBytes(text: string): number {
  return PLAIN.test(text) ? text.length + 2 : Buffer.byteLength(JSON.stringify(text))
}

/**
 * Cuts operations, in their order, into pieces whose bodies stay within `maxBytes`.
 * A piece holds at least one operation: a document larger than the limit travels alone.
 */
export function cutByBytes(operations: readonly Operation[], maxBytes: number): Operation[][] {
  const pieces: Operation[][] = []
  let piece: Operation[] = []
  let size = 0
  for (const operation of operations) {
    const bytes = operationBytes(operation)
    if (piece.length > 0 && size + bytes > maxBytes) {
      pieces.push(piece)
      piece = []
      size = 0
    }
    piece.push(operation)
    size += bytes
  }
  if (piece.length > 0) pieces.push(piece)
  return pieces
}
