/** A test that was not run, and the file that it is in. */
export interface Skipped {
  readonly file: string
  readonly name: string
}

/** What the last lines of a run say of tests that were not run: a line for each file, none where there is none. */
export function skippedLines(skipped: readonly Skipped[]): readonly string[] {
  const files = Map.groupBy(skipped, ({ file }) => file)
  return [...files].map(([file, tests]) => `SKIPPED ${file}: ${tests.map(({ name }) => name).join('; ')}`)
}
