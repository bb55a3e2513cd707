import { expect } from 'vitest'
import { ConfigError, describeError } from '../../src/errors.ts'

/** Message and remedy of the ConfigError that it ends with. */
export function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return describeError(error)
  }
  throw new Error('it was not refused')
}
