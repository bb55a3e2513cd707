/** What may be in the package: all of it is meant for users. A new kind of file needs a line here. */
const ALLOWED: readonly RegExp[] = [
  /^package\.json$/,
  /^(README|CHANGELOG)\.md$/,
  /^LICENSE$/,
  /^\.env\.example$/,
  /^dist\/[a-z0-9-]+(\/[a-z0-9-]+)*\.(js|d\.ts|css|html|svg)$/,
  /^migrations\/(roles\/)?[a-z0-9_]+\.sql$/,
  /^deploy\/[a-z0-9]+\/[A-Za-z0-9@.-]+$/,
  /^docs\/(README|(deploy\/)?[a-z0-9-]+)\.md$/,
  /^docs\/benchmark\/(report\.(md|json)|plots\/[a-z-]+\.svg)$/,
  /^docs\/images\/[a-z0-9-]+\.(png|svg|webp)$/,
]

/** Those files of a package that nobody expects there. */
export function strangers(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => !ALLOWED.some((allowed) => allowed.test(path)))
}
