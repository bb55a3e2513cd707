/** What Node 22 has and the type library does not: the source text of a value, and JSON that is taken as it is. */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown

const parse = JSON.parse as ParseWithSource
const { rawJSON } = JSON as typeof JSON & { readonly rawJSON: (text: string) => unknown }

/** JSON text → a value that JSON.stringify turns into the same numbers: 2^53 and beyond, and 1.10, stay as written. */
export function exactJson(text: string): unknown {
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? rawJSON(source) : value,
  )
}
