/**
 * Paths of keys that occur twice in an object of a JSON text. JSON.parse keeps the last and drops the others
 * without a word: a second document of one name would replace the first.
 * @param json valid JSON
 */
export function duplicateKeys(json: string): string[] {
  const found: string[] = []
  const open: Level[] = []
  // In valid JSON, strings and these characters are all there is to structure.
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const level = open.at(-1)
    if (token === '{') open.push({ keys: new Set(), expectsKey: true, key: '' })
    else if (token === '[') open.push({ keys: null, expectsKey: false, key: '0' })
    else if (token === '}' || token === ']') open.pop()
    else if (level === undefined) continue
    else if (token === ',') next(level)
    else if (token === ':') level.expectsKey = false
    else if (level.keys !== null && level.expectsKey) {
      level.key = JSON.parse(token)
      if (level.keys.has(level.key)) found.push(open.map(({ key }) => key).join('.'))
      level.keys.add(level.key)
    }
  }
  return found
}

/** An object or array that is not closed yet. */
interface Level {
  /** Keys so far; null for an array. */
  readonly keys: Set<string> | null
  expectsKey: boolean
  /** Key or position of the value that is being read. */
  key: string
}

function next(level: Level): void {
  if (level.keys === null) level.key = String(Number(level.key) + 1)
  else level.expectsKey = true
}

/** Comments, texts, words, and the characters that structure a module. What a template holds is text here. */
const moduleTokens =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|\.\.\.|[\p{L}\p{N}_$]+|[^\s]/gu

/**
 * Names that occur twice in `documents: { … }` or `schedules: { … }` of a module (`documents.city`), where JavaScript drops the first without a word, too. By
 * its tokens alone: what is computed is not seen, and nothing is found that is not there.
 */
export function duplicateNames(source: string): string[] {
  const found: string[] = []
  const open: (Names | null)[] = []
  let before: readonly [string, string] = ['', '']
  for (const [token] of source.matchAll(moduleTokens)) {
    if (token.startsWith('//') || token.startsWith('/*')) continue
    const names = open.at(-1)
    if ('{[('.includes(token)) {
      const of = token === '{' && before[1] === ':' ? unquoted(before[0]) : null
      open.push(of === 'documents' || of === 'schedules' ? { of, seen: new Set(), expected: true } : null)
    } else if ('}])'.includes(token)) {
      open.pop()
    } else if (names && token === ',') {
      names.expected = true
    } else if (names?.expected) {
      names.expected = false
      const name = unquoted(token)
      if (name !== null && names.seen.has(name)) found.push(`${names.of}.${name}`)
      if (name !== null) names.seen.add(name)
    }
    before = [before[1], token]
  }
  return found
}

interface Names {
  readonly of: string
  readonly seen: Set<string>
  expected: boolean
}

/** The name that a token writes, or null where it is none. */
function unquoted(token: string): string | null {
  return (
    /^(?:"(.*)"|'(.*)'|([\p{L}\p{N}_$]+))$/u
      .exec(token)
      ?.slice(1)
      .find((name) => name !== undefined) ?? null
  )
}
