import type { z } from 'zod'
import { UsageError } from '../errors.ts'
import { assertStorable } from './storable.ts'

/** Where a list goes on, as text that nobody has to understand. */
export function cursorOf(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** Throws a UsageError for what `cursorOf` has not made. */
export function placeOf<Schema extends z.ZodType>(cursor: string, schema: Schema): z.output<Schema> {
  const place = parsed(Buffer.from(cursor, 'base64url').toString())
  assertStorable(place, 'of after')
  const result = schema.safeParse(place)
  if (result.success) return result.data
  throw new UsageError('after: it is taken from "next" of the answer before, and this is none')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
