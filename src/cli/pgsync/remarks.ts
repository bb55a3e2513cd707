/** Something of a PGSync file that is not in the proposed configuration as it was, or at all. */
export interface Remark {
  /** Path in the file: `[0].nodes.children[1].transform.concat`. */
  readonly where: string
  readonly what: string
  /** What to do; null where nothing needs to be done. */
  readonly remedy: string | null
}

/** Remarks about one node: its path comes before each. */
export class Remarks {
  readonly #all: Remark[] = []

  get all(): readonly Remark[] {
    return this.#all
  }

  /** Left out, or other than it was: somebody has to do something. */
  todo(where: string, what: string, remedy: string): void {
    this.#all.push({ where, what, remedy })
  }

  /** Worth knowing. */
  note(where: string, what: string): void {
    this.#all.push({ where, what, remedy: null })
  }
}
