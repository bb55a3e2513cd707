type Mapping = Readonly<Record<string, unknown>>

/** One mapping over another, at any depth. */
export function mergeMappings(under: Mapping, over: Mapping): Mapping {
  const merged: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isObject(below) && isObject(value) ? mergeMappings(below, value) : value
  }
  return merged
}

function isObject(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `{ properties: … }`, or nothing where there are none. */
export function properties(of: Mapping): Mapping {
  return Object.keys(of).length === 0 ? {} : { properties: of }
}
