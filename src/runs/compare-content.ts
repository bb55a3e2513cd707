import { differences } from '../documents/differences.ts'

type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown

/** Fields shown of a difference. */
const MOST_FIELDS = 5

/**
 * Where the text that the pipeline would send differs from the one that an index holds; nothing where they say the same.
 *
 * `_source` is byte for byte what was sent, so equal texts settle it for nearly every document, at the cost of
 * comparing two strings. What differs is parsed and compared field by field, which also says where. A hash would cost
 * its computation on both sides for each document, and could only say that they differ.
 *
 * Not a difference: the order of fields, white space, escapes in strings, and how a number is spelled (1, 1.0 and 10e-1;
 * compared as decimals, so that 2^53 and 2^53 + 1 are two). Everything else is one: null is not an absent field, for
 * whoever reads the document sees it; "1" is not 1; a list in another order is another list.
 */
export function differingFields(wanted: string, stored: string): readonly string[] {
  if (wanted === stored) return []
  return differences(comparable(wanted), comparable(stored))
    .map(({ path }) => path)
    .slice(0, MOST_FIELDS)
}

/** Numbers and strings become texts that tell one from the other. */
function comparable(text: string): unknown {
  return (JSON.parse as ParseWithSource)(text, (_key, value, { source }) => {
    if (typeof value === 'string') return `s${value}`
    return typeof value === 'number' ? `n${decimal(source ?? String(value))}` : value
  })
}

/** One text for one number: its digits without zeros at either end, and the power of ten. */
function decimal(source: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  const exponent = BigInt(power) - BigInt(fraction.length) + BigInt(digits.length - significant.length)
  return `${sign}${significant}e${exponent}`
}
