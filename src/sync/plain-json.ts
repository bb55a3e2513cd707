/** A value as JSON text, or why it has none. */
export type PlainJson =
  | { readonly json: string; readonly problem: null }
  | { readonly json: null; readonly problem: string }

/**
 * A plain object → JSON text on one line. JSON.stringify alone leaves out functions, writes a Map as {} and NaN as null:
 * a document would lose what its author meant it to have, silently. Undefined properties count as left out, as in a
 * configuration; dates and others with a toJSON are what that returns.
 */
export function plainJson(value: unknown): PlainJson {
  if (!isPlain(value) || Array.isArray(value))
    return none(`${nameOf(value)}, and needs a plain object or null`)
  let problem: string | null = null
  const check = function (this: unknown, key: string, inner: unknown): unknown {
    const fault = faultOf(inner, Array.isArray(this))
    if (fault !== null)
      problem ??= `${fault} at ${JSON.stringify(key).slice(0, 120)}, which JSON does not have`
    return fault === null ? inner : null
  }
  try {
    const json = JSON.stringify(value, check)
    return problem === null ? { json, problem: null } : none(problem)
  } catch (error) {
    // A cycle, or nested so deeply that the stack ends.
    return none(error instanceof TypeError ? 'an object that contains itself' : 'an object nested too deeply')
  }
}

const none = (problem: string): PlainJson => ({ json: null, problem })

function faultOf(value: unknown, inArray: boolean): string | null {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return null
    case 'number':
      return Number.isFinite(value) ? null : String(value)
    case 'undefined':
      return inArray ? 'undefined' : null
    case 'object':
      return value === null || isPlain(value) ? null : nameOf(value)
    default:
      return nameOf(value)
  }
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  // By its name and not its identity: a configuration may be loaded in a context of its own.
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`
  if (Array.isArray(value)) return 'an array'
  const { name } = (value as { readonly constructor?: { readonly name?: unknown } }).constructor ?? {}
  return typeof name === 'string' && name !== '' ? `a ${name}` : 'an object of a class'
}
