/** "engines" in package.json (a test compares them): the first that imports a configuration in TypeScript. */
export const oldestNode = '22.18'

/** Why this Node cannot run sluice, or null. Runs on any Node that knows modules. */
export function tooOld(version: string): { readonly message: string; readonly remedy: string } | null {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode.split('.').map(Number)
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return null
  return {
    message: `this is Node.js ${version}, and sluice needs ${oldestNode} or later`,
    remedy: 'Install a newer Node.js, or name one: /path/to/node node_modules/.bin/sluice …',
  }
}
