/** What a change of the application was. A run in which none of a kind was committed says nothing about that kind. */
const kinds = [
  'insert',
  'onConflict',
  'update',
  'keyChange',
  'delete',
  'merge',
  'truncate',
  'manyRows',
  'rolledBack',
  'savepoint',
  'savepointRolledBack',
] as const

export type Kind = (typeof kinds)[number]

const FIRST_WORDS: Readonly<Record<string, Kind>> = {
  INSERT: 'insert',
  UPDATE: 'update',
  DELETE: 'delete',
  MERGE: 'merge',
  TRUNCATE: 'truncate',
}

/** Of a statement, by its text. */
export function kindsOf(text: string): readonly Kind[] {
  const first = FIRST_WORDS[text.trimStart().split(/\s/, 1)[0] ?? '']
  return [
    ...(first === undefined ? [] : [first]),
    ...(/ON CONFLICT/.test(text) ? (['onConflict'] as const) : []),
    ...(/generate_series|BETWEEN/.test(text) ? (['manyRows'] as const) : []),
    // Only a row that moves to another key is given one.
    ...(/json_populate_record\(/.test(text) ? (['keyChange'] as const) : []),
  ]
}

/** How many of each were committed. */
export class KindCounts {
  readonly #counts = new Map<Kind, number>(kinds.map((kind) => [kind, 0]))

  add(committed: readonly Kind[]): void {
    for (const kind of committed) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  get all(): Readonly<Record<Kind, number>> {
    return Object.fromEntries(this.#counts) as Record<Kind, number>
  }

  get missing(): readonly Kind[] {
    return kinds.filter((kind) => this.#counts.get(kind) === 0)
  }
}
