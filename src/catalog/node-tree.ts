/**
 * Reads what matters out of the text of a rule's query tree (`pg_rewrite.ev_action`). pg_depend does not do:
 * built-in functions are pinned and have no rows there, and a whole-row reference is hidden behind columns.
 * The text cannot be forged from a snippet: string constants are printed as bytes, and braces, blanks and
 * parentheses in names are escaped. The fields read here are the same in Postgres 15 to 18.
 */
export interface NodeTree {
  /** Numbers of the columns read; 0 is the whole row, negative ones are system columns. */
  readonly attributes: readonly number[]
  /** Functions called, those behind operators included. */
  readonly functions: readonly number[]
  /** Types that are converted through their text: their input and output functions run too. */
  readonly convertedTypes: readonly number[]
  readonly constructs: readonly Construct[]
  /** CURRENT_DATE, CURRENT_TIMESTAMP and the like. */
  readonly readsClock: boolean
}

/** What a snippet over one row cannot hold. */
export type Construct =
  | 'sub-select'
  | 'aggregate'
  | 'window function'
  | 'set-returning function'
  | 'session value'

/** `SQLValueFunctionOp`: 0 to 8 are dates and times, from 9 on roles, the catalog and the schema. */
const firstSessionValue = 9

export function readNodeTree(text: string): NodeTree {
  const numbers = (pattern: RegExp): number[] => [
    ...new Set(Array.from(text.matchAll(pattern), (match) => Number(match[1]))),
  ]
  const sqlValues = numbers(/\{SQLVALUEFUNCTION :op (\d+)/g)
  const flags: readonly (readonly [Construct, boolean])[] = [
    ['sub-select', text.includes('{SUBLINK') || text.includes(':hasSubLinks true')],
    ['aggregate', text.includes(':hasAggs true')],
    ['window function', text.includes(':hasWindowFuncs true')],
    ['set-returning function', text.includes(':hasTargetSRFs true')],
    ['session value', sqlValues.some((op) => op >= firstSessionValue)],
  ]
  return {
    attributes: numbers(/\{VAR :varno \d+ :varattno (-?\d+)/g),
    functions: numbers(/:(?:funcid|opfuncid) (\d+)/g).filter((oid) => oid > 0),
    convertedTypes: text.includes('{COERCEVIAIO') ? numbers(/:\w*type (\d+)/g).filter((oid) => oid > 0) : [],
    constructs: flags.filter(([, present]) => present).map(([construct]) => construct),
    readsClock: sqlValues.some((op) => op < firstSessionValue),
  }
}
