import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What README.md and docs/ tell their readers to type, as it is written there. */

const root = join(import.meta.dirname, '../../..')

/** Pages from the repository's root, sorted. */
export const pages: readonly string[] = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .sort(),
]

export interface Documented {
  /** A line for a shell without its comment, or a block of SQL. */
  readonly text: string
  readonly page: string
  /** `sql` may be several statements. */
  readonly language: 'sh' | 'sql'
  /** A block is to be followed from top to bottom, a span stands in a sentence, an example in the help of a command. */
  readonly from: 'block' | 'span' | 'example'
}

export function documentedIn(page: string): readonly Documented[] {
  const text = readFileSync(join(root, page), 'utf8')
  const found: Documented[] = []
  const prose = text.replaceAll(
    /^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm,
    (_whole, language: string, block: string) => {
      const add = (from: Documented['from'], lines: readonly string[]) =>
        found.push(...lines.map((line) => ({ text: line, page, language: 'sh' as const, from })))
      if (language === 'sql') found.push({ text: block.trim(), page, language, from: 'block' })
      else if (['sh', 'bash', 'console', 'shell'].includes(language)) add('block', shellLines(block))
      else if (language === 'text') add('example', examplesIn(block))
      return ''
    },
  )
  for (const [, span = ''] of prose.matchAll(/`([^`\n]+)`/g)) {
    // What leaves something out, or names it <so>, is the form of a command.
    if (/…|<\w|\.\.\./.test(span)) continue
    if (/^(?:\w+=\S+ )*(?:npx )?(?:sluice|npm|npx|curl|psql) [a-z-]/.test(span)) {
      found.push({ text: span, page, language: 'sh', from: 'span' })
    } else if (
      /^(?:SELECT|INSERT|UPDATE|DELETE|ALTER|GRANT|REVOKE|CREATE|DROP) (?:\S+ .*\S|\w+\.\w+\(.*\)$)/.test(
        span,
      )
    ) {
      found.push({ text: span, page, language: 'sql', from: 'span' })
    }
  }
  return found
}

/** Without comments, of which a line may end with one. */
function shellLines(block: string): readonly string[] {
  return block
    .split('\n')
    .map((line) => line.replace(/(?:^|\s+)#(?= ).*$/, '').trim())
    .filter((line) => line !== '')
}

/** Of `Examples:` in a help text: the command, two spaces, what it does. */
function examplesIn(block: string): readonly string[] {
  const examples = /^Examples:\n((?: {2}.*\n)+)/m.exec(block)?.[1] ?? ''
  return examples
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/)[0] ?? '')
    .filter((line) => line !== '')
}
