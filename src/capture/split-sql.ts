/** One statement of an SQL file. */
export interface SqlStatement {
  readonly sql: string
  /** Line it begins in, from 1. */
  readonly line: number
  /** Its first words in capitals, comments left out: `['ALTER', 'TABLE']`. */
  readonly words: readonly string[]
}

const maxWords = 12

/**
 * Cuts an SQL file into its statements, as psql does: at semicolons that stand in no string, comment, quoted name,
 * parentheses, or parsed function body (CREATE FUNCTION … BEGIN ATOMIC … END). Pure; it never fails, for Postgres
 * says better what is wrong with a statement.
 */
export function splitSql(text: string): readonly SqlStatement[] {
  const statements: SqlStatement[] = []
  const token = new RegExp(TOKENS, 'gu')
  let state = emptyState()
  let line = 1
  let counted = 0
  const end = (stop: number) => {
    if (state.start !== null) {
      line += text.slice(counted, state.start).split('\n').length - 1
      counted = state.start
      statements.push({ sql: text.slice(state.start, stop).trim(), line, words: state.words })
    }
    state = emptyState()
  }
  for (const match of text.matchAll(token)) {
    const [found] = match
    if (match.groups?.skip !== undefined) continue
    if (found === ';' && state.parentheses === 0 && state.depth === 0) {
      end(match.index)
      continue
    }
    state.start ??= match.index
    if (found === '(') state.parentheses += 1
    else if (found === ')') state.parentheses = Math.max(0, state.parentheses - 1)
    else if (match.groups?.word !== undefined) takeWord(state, found.toUpperCase())
  }
  end(text.length)
  return statements
}

/**
 * What has to be passed over as a whole. `skip`: space and comments (nested ones are matched to a depth of three);
 * then strings with backslashes, plain strings, quoted names, dollar quotes; then words, and any other sign alone.
 */
const TOKENS = [
  String.raw`(?<skip>\s+|--[^\n]*|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*(?:[^*]|\*(?!/))*\*/)*\*/)*\*/)`,
  String.raw`[eE]'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'?`,
  `'[^']*(?:''[^']*)*'?`,
  `"[^"]*(?:""[^"]*)*"?`,
  String.raw`\$(?<tag>[\p{L}_][\p{L}\p{N}_]*)?\$[\s\S]*?(?:\$\k<tag>\$|$(?![\s\S]))`,
  String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
  String.raw`[\s\S]`,
].join('|')

interface State {
  start: number | null
  words: string[]
  parentheses: number
  /** Of BEGIN … END and CASE … END within a parsed function body. */
  depth: number
}

const emptyState = (): State => ({ start: null, words: [], parentheses: 0, depth: 0 })

function takeWord(state: State, word: string): void {
  if (state.words.length < maxWords) state.words.push(word)
  if (!definesRoutine(state.words) || state.parentheses > 0) return
  if (word === 'BEGIN' || (word === 'CASE' && state.depth > 0)) state.depth += 1
  else if (word === 'END' && state.depth > 0) state.depth -= 1
}

function definesRoutine([create, second, third, fourth]: readonly string[]): boolean {
  const kind = second === 'OR' && third === 'REPLACE' ? fourth : second
  return create === 'CREATE' && (kind === 'FUNCTION' || kind === 'PROCEDURE')
}
