/**
 * Key tuples and document ids as text. A key of one part is its text. Several parts are a JSON array exactly as
 * Postgres prints `jsonb_build_array(a::text, b::text)`: `["ch", "12"]`; a part of an address may be null.
 * Every tuple has one text only, so that texts can be compared where tuples are meant.
 */

/** Parts → key tuple, byte for byte what `keyExpression` makes in SQL. */
export function encodeKey(parts: readonly (string | null)[]): string {
  const [only] = parts
  if (parts.length === 1 && typeof only === 'string') return only
  return `[${parts.map((part) => JSON.stringify(part)).join(', ')}]`
}

/**
 * Key tuple → its parts, or null where it is not one of `count` parts. Another spelling of the same tuple
 * (`["ch","12"]`) is refused: no row's key equals it as text, so its document would be deleted as absent.
 */
export function decodeKey(key: string, count: number): (string | null)[] | null {
  if (count === 1) return [key]
  let parts: unknown
  try {
    parts = JSON.parse(key)
  } catch {
    return null
  }
  if (!Array.isArray(parts) || parts.length !== count) return null
  const texts: (string | null)[] = []
  for (const part of parts) {
    if (part !== null && typeof part !== 'string') return null
    texts.push(part)
  }
  return encodeKey(texts) === key ? texts : null
}

/**
 * `_id` of a document: one part is its text; of several, `%` and `:` are escaped and `:` joins them. Injective.
 * Id columns are never null; a null that a mark written by hand holds becomes `%00`, which no row's id contains.
 */
export function documentId(parts: readonly (string | null)[]): string {
  const [only] = parts
  if (parts.length === 1 && typeof only === 'string') return only
  return parts.map(escapePart).join(':')
}

/** Parts of an `_id`, or null where no row of such a key can have it: a stray document. */
export function partsOfId(id: string, count: number): string[] | null {
  if (count === 1) return [id]
  const escaped = id.split(':')
  if (escaped.length !== count) return null
  const parts = escaped.map((part) => part.replaceAll('%3A', ':').replaceAll('%25', '%'))
  return documentId(parts) === id ? parts : null
}

function escapePart(part: string | null): string {
  return part === null ? '%00' : part.replaceAll('%', '%25').replaceAll(':', '%3A')
}
