import { redactReason } from '../elasticsearch/redact.ts'
import { raisedIn } from '../postgres/raised.ts'
import { isDataError } from '../postgres/read-transaction.ts'

/**
 * What Postgres says of a value that it cannot read or convert, without the value; null for any other error. A value may
 * hold quotes itself, so nothing is cut out: the prose before the first quote, colon or digit is kept. What a function of
 * the user's raises is all value, for what we know.
 */
export function withoutValues(error: unknown): string | null {
  const raised = raisedIn(error)
  if (raised !== null) return `${raised} raised an error`
  if (!isDataError(error) || !(error instanceof Error)) return null
  // The one frequent message that begins with the value.
  const range = /^value ".*" is out of range for type (\w+(?: \w+)*)$/s.exec(error.message)
  return range === null
    ? redactReason({ reason: error.message.replace(/^date\/time\b/, 'date or time') })
    : `a value is out of range for type ${range[1]}`
}
