import { isDeepStrictEqual } from 'node:util'

/** One place where two documents differ; undefined: nothing is there. */
export interface Difference {
  /** `geo.lat`; '' is the document as a whole. */
  readonly path: string
  readonly expected: unknown
  readonly indexed: unknown
}

/** Where an indexed document is not what it should be: the innermost objects' fields, lists as a whole. */
export function differences(expected: unknown, indexed: unknown, path = ''): Difference[] {
  if (isObject(expected) && isObject(indexed)) {
    const names = new Set([...Object.keys(expected), ...Object.keys(indexed)])
    return [...names].flatMap((name) =>
      differences(expected[name], indexed[name], path === '' ? name : `${path}.${name}`),
    )
  }
  return isDeepStrictEqual(expected, indexed) ? [] : [{ path, expected, indexed }]
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
