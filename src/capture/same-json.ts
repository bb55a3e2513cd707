import { isDeepStrictEqual } from 'node:util'

/** True when two values are the same JSON: what comes from the configuration and what comes back from jsonb. */
export function sameJson(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(asJson(a), asJson(b))
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null))
}
