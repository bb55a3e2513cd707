import { isIP } from 'node:net'
import { z } from 'zod'
import { suggest } from '../catalog/suggest.ts'
import { parseTableName } from '../catalog/table-name.ts'
import { cronProblem } from './cron.ts'
import { milliseconds } from './duration.ts'
import { indexProblem, maxIndexNameBytes } from './index-name.ts'
import { logLevels, scheduledRuns, type Transform } from './types.ts'

/**
 * The kinds of value in a configuration. The message of each is what was expected, and only that: the caller adds
 * where it is and what was there. Checks that have no message of their own (`refine`, `min`) take that of what they check.
 */

/** A text that satisfies a condition. */
export function text(expected: string, holds: (value: string) => boolean = (value) => value.trim() !== '') {
  return z.string({ error: expected }).refine(holds)
}

/** A whole number in a range, with its unit in the message: `a whole number of keys from 1 to 100000`. */
export function whole({ unit, min, max }: { unit: string; min: number; max: number }) {
  const error = `a whole number of ${unit} from ${min} to ${max}`
  return z.number({ error }).int().min(min).max(max)
}

/** 0.1 is a tenth. */
export const share = fraction('a share from 0 to 1, such as 0.1 for 10 %')

function fraction(error: string) {
  return z.number({ error }).min(0).max(1)
}

/** A list of texts, none twice. */
export function distinctTexts(expected: string) {
  return z
    .array(text(`${expected}: each a text that is not empty`), { error: expected })
    .min(1, { error: `${expected}: at least one` })
    .refine((list) => new Set(list).size === list.length, { error: `${expected}: none twice` })
    .readonly()
}

export const documentName = text(
  'a document name: a lower-case letter, then lower-case letters, digits or "_", at most 40 in all',
  (name) => /^[a-z][a-z0-9_]{0,39}$/.test(name),
)

export const scheduleName = text(
  'a schedule name: a lower-case letter, then lower-case letters, digits or "_", at most 40 in all',
  (name) => /^[a-z][a-z0-9_]{0,39}$/.test(name),
)

export const rootTable = tableName('the root table')
export const relatedTable = tableName('a table')

function tableName(what: string) {
  return text(`${what}: "schema.table", or "table" for public.table`, (name) => parseTableName(name) !== null)
}

export const indexName = z
  .string({ error: 'the alias that searches use, such as "cities"' })
  .check((context) => {
    const problem = indexProblem(context.value)
    if (problem === null) return
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: `a name that Elasticsearch takes: lower case, at most ${maxIndexNameBytes} bytes; it ${problem}`,
    })
  })

export const column = text('the name of a column')

export const orderColumn = text('a column, perhaps followed by " desc"')

const cronExpected =
  'five fields (minute, hour, day of the month, month, day of the week), such as "0 3 * * *"'

export const cron = z.string({ error: cronExpected }).check((context) => {
  const problem = cronProblem(context.value)
  if (problem === null) return
  context.issues.push({ code: 'custom', input: context.value, message: `${cronExpected}; ${problem}` })
})

/** As the ICU of Node.js knows it: that is what computes with it. */
export const timezone = z.string({ error: 'a time zone such as "Europe/Berlin"' }).check((context) => {
  if (isTimezone(context.value)) return
  context.issues.push({
    code: 'custom',
    input: context.value,
    message: `a time zone such as "Europe/Berlin"${suggest(context.value, Intl.supportedValuesOf('timeZone'))}`,
  })
})

export const scheduledRun = z.enum(scheduledRuns, { error: `one of ${scheduledRuns.join(', ')}` })

export const keep = text(
  'a time such as "30m", "24h" or "7d", or "0"',
  (value) => milliseconds(value) !== null,
)

export const lapse = text('a time such as "10m" or "1h", not 0', (value) => (milliseconds(value) ?? 0) > 0)

/** No dot: a relation's path joins the names by it. No colon: it sets off the table in between. */
export const relationName = text(
  'a field name without "." or ":"',
  (name) => name.trim() !== '' && !/[.:]/.test(name),
)

export const transform = z.custom<Transform>((value) => typeof value === 'function', {
  error: 'a function (document, { document, id }) => document or null',
})

/** `geo.lat` nests. */
export const fieldPath = text('a field path such as "name" or "geo.lat"', (path) =>
  path.split('.').every((name) => name.trim() !== ''),
)

export const sqlExpression = z
  .strictObject({ sql: text('SQL over the row, such as "lower(name)"') }, { error: 'a column, or sql("…")' })
  .readonly()

/** Data that is the same after a trip through JSON: it is stored, hashed and sent. */
export const jsonObject = z
  .record(z.string(), z.unknown(), { error: 'an object, as Elasticsearch has it' })
  .check((context) => {
    const path = pathOfOddValue(context.value)
    if (path === null) return
    context.issues.push({ code: 'custom', input: context.value, path, message: 'a value that JSON has' })
  })

export const postgresUrl = text('a URL such as postgres://user:password@host:5432/database', (url) =>
  isUrl(url, ['postgres:', 'postgresql:']),
)

export const elasticsearchUrl = text(
  'a URL such as https://host:9200, or several separated by commas',
  (urls) => urls.split(',').every((url) => isUrl(url.trim(), ['http:', 'https:'])),
)

export const webhookUrl = text('a URL such as https://hooks.example.com/alerts', (url) =>
  isUrl(url, ['http:', 'https:']),
)

export const plaintextHosts = text('host names separated by commas, such as "db,search"', (list) =>
  list.split(',').every((name) => /^[\w.:[\]-]+$/.test(name.trim())),
)

export const adminHost = text('an address or a host name, such as 127.0.0.1 or 0.0.0.0', (name) =>
  /^[\w.:-]+$/.test(name),
)

const portExpected = 'a port from 0 to 65535 (0: any that is free), or "off"'

export const adminPort = z.custom<number | 'off'>(
  (port) => port === 'off' || (Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535),
  { error: portExpected },
)

/** What fits in a header as it is. Short ones can be guessed: of every request that it comes with, the log shows a fingerprint. */
export const adminToken = text('a token of 16 to 200 letters, digits and signs, without spaces', (token) =>
  /^[\x21-\x7e]{16,200}$/.test(token),
)

export const adminHosts = text('host names separated by commas, such as "search.internal"', (list) =>
  list.split(',').every((name) => /^[\w.-]+$/.test(name.trim())),
)

/** Not everybody: then anybody could say who he is. */
export const adminTrustedProxies = text(
  'addresses or networks separated by commas, such as "127.0.0.1, 10.0.0.0/8"',
  (list) => list.split(',').every((one) => isNetwork(one.trim())),
)

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  if (prefix === undefined) return true
  return /^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)
}

/**
 * Not public: `uninstall` drops the schema. Not pg_…: Postgres keeps those for itself. No quotes and backslashes:
 * node-pg-migrate puts the name between quotes without escaping it.
 */
export const schemaName = text(
  'a schema for sluice alone: 1 to 63 bytes without quotes or backslashes, not "public", "information_schema" or "pg_…"',
  (name) =>
    isPrintable(name) &&
    Buffer.byteLength(name) <= 63 &&
    !/["'\\]/.test(name) &&
    !/^(public|information_schema|pg_.*)$/.test(name),
)

export const instanceName = text(
  'a name of 1 to 200 printable characters, different for each daemon',
  (name) => isPrintable(name) && name.length <= 200,
)

export const logLevel = z.enum(logLevels, { error: `one of ${logLevels.join(', ')}` })

function isUrl(value: string, protocols: readonly string[]): boolean {
  const url = URL.parse(value)
  // A "#" or "?" that belongs to a password ends the address early, and what is left looks like a URL.
  return url !== null && protocols.includes(url.protocol) && url.hash === '' && !url.search.includes('@')
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

function isPrintable(value: string): boolean {
  return value.trim() !== '' && !/\p{Cc}/u.test(value)
}

function pathOfOddValue(value: unknown): string[] | null {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return null
    case 'number':
      return Number.isFinite(value) ? null : []
    case 'object': {
      if (value === null) return null
      const plain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value))
      if (!plain) return []
      for (const [key, inner] of Object.entries(value)) {
        const path = pathOfOddValue(inner)
        if (path !== null) return [key, ...path]
      }
      return null
    }
    default:
      return []
  }
}
