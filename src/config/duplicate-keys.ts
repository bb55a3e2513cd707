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
