/** `JSON.parse` with the source text of each value (Node 22 has it, the type library does not yet). */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown

/**
 * JSON text → its value, with integers beyond 2^53 as text: as numbers they would be rounded, and numbers beyond 10^308
 * would be infinite. Throws SyntaxError.
 */
export function parseExact(text: string): unknown {
  return (JSON.parse as ParseWithSource)(text, (_key, value, { source }) =>
    typeof value === 'number' &&
    !Number.isSafeInteger(value) &&
    source !== undefined &&
    isRounded(value, source)
      ? source
      : value,
  )
}

function isRounded(value: number, source: string): boolean {
  return !Number.isFinite(value) || (Number.isInteger(value) && /^-?\d+$/.test(source))
}
