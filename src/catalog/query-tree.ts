/** What the text of a query tree (see `readNodeTree`) says about a whole query. */
export interface QueryTree {
  /** pg_class.oid of all it reads, at any depth. */
  readonly relations: readonly number[]
  /** Numbers of the parameters used: 1 is `$1`. */
  readonly parameters: readonly number[]
}

export function readQueryTree(text: string): QueryTree {
  const numbers = (pattern: RegExp): number[] => [
    ...new Set(Array.from(text.matchAll(pattern), (match) => Number(match[1]))),
  ]
  return {
    relations: numbers(/:relid (\d+)/g).filter((oid) => oid > 0),
    parameters: numbers(/\{PARAM :paramkind 0 :paramid (\d+)/g),
  }
}

/** What a statement is as a whole, without what stands inside of it. */
export interface Statement {
  readonly isSelect: boolean
  /** It cuts rows off, whatever they are: LIMIT, OFFSET, FETCH FIRST. */
  readonly cutsRows: boolean
  /** FOR UPDATE and the like. */
  readonly locksRows: boolean
}

/** The statements of a function's parsed body. */
export function readStatements(body: string): readonly Statement[] {
  return outermostNodes(body)
    .filter((node) => node.startsWith('{QUERY '))
    .map((node) => ({
      isSelect: node.includes(' :commandType 1 '),
      cutsRows: /:limit(?:Count|Offset) \{/.test(node),
      locksRows: / :rowMarks \(/.test(node),
    }))
}

/** The nodes that are in no other one; of what is within them nothing is left but `{}`. A backslash escapes what follows. */
function outermostNodes(text: string): string[] {
  const nodes: string[] = []
  let depth = 0
  let node = ''
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '{') depth++
    if (depth === 1 || (depth === 2 && character === '{')) node += character
    if (character === '\\') at++
    if (character !== '}') continue
    depth--
    if (depth === 1) node += '}'
    if (depth === 0) {
      nodes.push(node)
      node = ''
    }
  }
  return nodes
}
