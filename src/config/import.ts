import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../errors.ts'
import { duplicateKeys, duplicateNames } from './duplicate-keys.ts'

/** What a configuration file says, unchecked: the value of a JSON file, the default export of a module. */
export async function importConfig(file: string): Promise<unknown> {
  return file.endsWith('.json') ? readJson(file) : importModule(file)
}

/** A JSON file's value, whatever its name. */
export async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new ConfigError(`cannot be read: ${messageOf(error)}`, { where: file, cause: error })
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ConfigError(`is not JSON: ${messageOf(error)}`, {
      where: positionInJson(file, text, messageOf(error)),
      remedy: 'JSON has neither comments nor trailing commas; sluice.config.mjs may have both.',
      cause: error,
    })
  }
  const [duplicate] = duplicateKeys(text)
  if (duplicate !== undefined) {
    throw new ConfigError('given twice; JSON would drop the first without a word', {
      where: `${duplicate} (${file})`,
      remedy: 'Rename one of them, or remove it.',
    })
  }
  return value
}

async function importModule(file: string): Promise<unknown> {
  let module: unknown
  try {
    module = await import(pathToFileURL(file).href)
  } catch (error) {
    throw await importError(file, error)
  }
  const [duplicate] = duplicateNames(await readFile(file, 'utf8'))
  if (duplicate !== undefined) {
    throw new ConfigError('given twice; JavaScript would drop the first without a word', {
      where: `${duplicate} (${file})`,
      remedy: 'Rename one of them, or remove it.',
    })
  }
  if (typeof module === 'object' && module !== null && 'default' in module) return module.default
  throw new ConfigError('exports no default', {
    where: file,
    remedy: 'Write: export default { documents: { … } }',
  })
}

async function importError(file: string, error: unknown): Promise<ConfigError> {
  const message = messageOf(error)
  const details = { where: file, cause: error }
  if (/^Cannot find (package|module) '(sluice|sluice\/.*)'/.test(message)) {
    return new ConfigError("imports 'sluice', which is not installed in this folder", {
      ...details,
      remedy:
        'Export a plain object instead: export default { documents: { … } }. Or npm install sluice here.',
    })
  }
  // A package.json with "type": "commonjs", or an old Node's default for a folder without one.
  if (/Cannot use import statement outside a module|Unexpected token 'export'/.test(message)) {
    return new ConfigError('is taken for CommonJS, because package.json says so', {
      ...details,
      remedy: `Rename it to ${basename(file).replace(/\.([jt]s)$/, '.m$1')}.`,
    })
  }
  const position = (await positionOfSyntaxError(file, error)) ?? positionInStack(file, error) ?? file
  const what = error instanceof SyntaxError ? 'cannot be parsed' : 'fails when it is loaded'
  return new ConfigError(`${what}: ${message}`, { ...details, where: position })
}

/**
 * `file:line` of a syntax error. Node names the line for TypeScript, and for JavaScript only as it dies of it: the
 * TypeScript parser, which reads JavaScript too, says where. Its message is the better one as well, but another.
 */
async function positionOfSyntaxError(file: string, error: unknown): Promise<string | null> {
  if (!(error instanceof SyntaxError)) return null
  const fromNode = lineOfHeading(file, error)
  if (fromNode !== null) return fromNode
  try {
    stripTypeScriptTypes(await readFile(file, 'utf8'), { sourceUrl: file })
  } catch (again) {
    return lineOfHeading(file, again)
  }
  return null
}

/** Syntax errors begin their stack with `file:line` and the line itself. */
function lineOfHeading(file: string, error: unknown): string | null {
  const heading = error instanceof Error ? error.stack?.split('\n', 1)[0] : undefined
  const line = heading?.match(/:(\d+)$/)?.[1]
  return line === undefined ? null : `${file}:${line}`
}

/** Where in the configuration file it was thrown: the first frame of it. */
function positionInStack(file: string, error: unknown): string | null {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const at = stack.indexOf(`${pathToFileURL(file).href}:`)
  const position = at < 0 ? undefined : stack.slice(at).match(/:(\d+:\d+)\)?$/m)?.[1]
  return position === undefined ? null : `${file}:${position}`
}

/** V8 says `at position 120 (line 4 column 3)`, or only that the text ended. */
function positionInJson(file: string, text: string, message: string): string {
  const place = message.match(/line (\d+) column (\d+)/)
  if (place !== null) return `${file}:${place[1]}:${place[2]}`
  return message.includes('end of JSON') ? `${file}:${text.split('\n').length}` : file
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
