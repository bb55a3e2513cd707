/** Of a line of source. */
const WIDTH = 110

export interface LiteralOptions {
  /** Columns that the line it begins on is indented by. */
  readonly indent: number
  /** Columns that are taken on that line, besides, by what stands before the value and after it. */
  readonly taken: number
  /** Whether `sql('…')` can be written for `{ sql: '…' }`. */
  readonly sqlFunction: boolean
}

/** Plain data as TypeScript, as a person would write it: on one line where it fits. */
export function tsLiteral(value: unknown, options: LiteralOptions): string {
  const inline = inlineLiteral(value, options.sqlFunction)
  if (typeof value !== 'object' || value === null || isSql(value)) return inline
  if (options.indent + options.taken + inline.length <= WIDTH) return inline
  const indent = options.indent + 2
  const pad = ' '.repeat(indent)
  const lines = Array.isArray(value)
    ? value.map((one) => `${pad}${tsLiteral(one, { ...options, indent, taken: 1 })},`)
    : Object.entries(value)
        .filter(([, one]) => one !== undefined)
        .map(([key, one]) => {
          const name = keyText(key)
          return `${pad}${name}: ${tsLiteral(one, { ...options, indent, taken: name.length + 3 })},`
        })
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}']
  return [open, ...lines, `${' '.repeat(options.indent)}${close}`].join('\n')
}

function inlineLiteral(value: unknown, sqlFunction: boolean): string {
  if (typeof value === 'string') return quote(value)
  if (Array.isArray(value)) return `[${value.map((one) => inlineLiteral(one, sqlFunction)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isSql(value) && sqlFunction) return `sql(${quote(value.sql)})`
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  if (entries.length === 0) return '{}'
  return `{ ${entries.map(([key, one]) => `${keyText(key)}: ${inlineLiteral(one, sqlFunction)}`).join(', ')} }`
}

function isSql(value: object): value is { readonly sql: string } {
  return 'sql' in value && typeof value.sql === 'string' && Object.keys(value).length === 1
}

function keyText(key: string): string {
  // An own property of this name cannot be written as a plain key.
  if (key === '__proto__') return "['__proto__']"
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? key : quote(key)
}

function quote(text: string): string {
  return /['\\\n\r\u2028\u2029]/.test(text) ? JSON.stringify(text) : `'${text}'`
}
