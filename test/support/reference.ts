import { type Command, Help } from 'commander'

/** Reference pages, made of what the code says of itself. A test compares each with its file; `vitest -u` writes them. */

const WIDTH = 100

const madeBy = (test: string) =>
  `<!-- Made by ${test} from the code. After a change there: npx vitest run ${test} -u -->`

/** docs/cli.md: the help of every command. */
export function cliPage(program: Command): string {
  const parts = [
    '# Command line',
    madeBy('test/unit/docs-reference.test.ts'),
    'What `sluice --help` and `sluice <command> --help` print.',
    section('sluice', program),
    ...program.commands.flatMap((command) => sections([], command)),
  ]
  return `${parts.join('\n\n')}\n`
}

function sections(above: readonly string[], command: Command): string[] {
  const path = [...above, command.name()]
  return [section(path.join(' '), command), ...command.commands.flatMap((inner) => sections(path, inner))]
}

function section(title: string, command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => {
      text += part
    },
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  })
  // They are the same everywhere.
  command.configureHelp({ ...new Help(), showGlobalOptions: false })
  command.outputHelp()
  return [`## ${title}`, fenced('text', text.trimEnd())].join('\n\n')
}

function fenced(language: string, text: string): string {
  return `\`\`\`${language}\n${text}\n\`\`\``
}

export interface EnvironmentVariable {
  readonly name: string
  readonly flag: string | null
  readonly default: string | null
}

/**
 * docs/environment.md: what .env.example says of each variable, with its key in the configuration and its flag.
 * @throws Error for a variable that .env.example does not have
 */
export function environmentPage(example: string, variables: readonly EnvironmentVariable[]): string {
  const told = describedIn(example)
  const rows = variables.map(({ name, flag, default: value }) => {
    const described = told.get(name)
    if (described === undefined) throw new Error(`.env.example does not have ${name}`)
    const flagText =
      flag === null ? '' : `\`--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}\``
    return `| \`${name}\` | \`${described.key}\` | ${flagText} | ${value === null ? '' : `\`${value}\``} | ${cell(described.text)} |`
  })
  return `${[
    '# Environment',
    madeBy('test/unit/docs-reference.test.ts'),
    'Flags beat the environment, the environment beats `.env`, and that beats the configuration. A variable that is set to nothing counts as not set. [.env.example](../.env.example) is a file to begin with; credentials may stand in files of `CREDENTIALS_DIRECTORY` ([security.md](security.md)).',
    ['| variable | key in the configuration | flag | default | |', '|---|---|---|---|---|', ...rows].join(
      '\n',
    ),
  ].join('\n\n')}\n`
}

/** Paragraphs of comment, each ended by `# NAME=value`; a key in brackets closes its text. */
function describedIn(example: string): ReadonlyMap<string, { readonly text: string; readonly key: string }> {
  const told = new Map<string, { text: string; key: string }>()
  let text = ''
  let keys: readonly string[] = []
  for (const line of example.split('\n')) {
    const name = /^# ([A-Z][A-Z_]+)=/.exec(line)?.[1]
    if (name === undefined) {
      if (line.startsWith('# ---')) text = ''
      else if (line.startsWith('#')) text = `${text} ${line.slice(1).trim()}`
      else text = ''
      continue
    }
    const [, stated] = /\[([^\]]+)\]/.exec(text) ?? []
    if (stated !== undefined) keys = stated.split(', ')
    const [key = '', ...others] = keys
    // Two variables share a paragraph, and its brackets have both keys.
    keys = others
    if (text.trim() !== '') told.set(name, { text: text.replace(/\s*\[[^\]]+\]\s*/, ' ').trim(), key })
    else told.set(name, { text: 'See above.', key })
    text = ''
  }
  return told
}

interface Key {
  readonly name: string
  readonly optional: boolean
  readonly type: string
  readonly comment: string
}

/** Keys of an interface of src/config/types.ts, with what is written above each. */
export function keysOf(source: string, name: string): readonly Key[] {
  const [, body = ''] = new RegExp(`export interface ${name}\\b[^{]*{\\n([\\s\\S]*?)\\n}`).exec(source) ?? []
  const pattern = /(?: {2}\/\*\*([\s\S]*?)\*\/\n)? {2}readonly (\w+)(\??): ([^\n]+)/g
  return [...body.matchAll(pattern)].map(([, comment = '', key = '', optional, type = '']) => ({
    name: key,
    optional: optional === '?',
    type,
    comment: comment
      .split('\n')
      .map((line) => line.replace(/^\s*\*?\s?/, '').trim())
      .join(' ')
      .trim(),
  }))
}

export interface ConfigurationPart {
  readonly title: string
  readonly keys: readonly Key[]
}

/** docs/configuration.md: every key of the configuration. */
export function configurationPage(parts: readonly ConfigurationPart[]): string {
  const texts = parts.map(({ title, keys }) =>
    [
      `## ${title}`,
      [
        '| key | type | |',
        '|---|---|---|',
        ...keys.map(
          ({ name, optional, type, comment }) =>
            `| \`${name}\`${optional ? '' : ' (required)'} | \`${cell(type)}\` | ${cell(comment)} |`,
        ),
      ].join('\n'),
    ].join('\n\n'),
  )
  return `${[
    '# Configuration',
    madeBy('test/unit/docs-reference.test.ts'),
    '`sluice.config.ts`, or `.mts`, `.js`, `.mjs`, `.json`. Each key of a document with an example: [documents.md](documents.md); schedules: [schedules.md](schedules.md). An error names the path, the value and what was expected.',
    ...texts,
  ].join('\n\n')}\n`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')
}
