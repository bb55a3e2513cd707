import type { Proposal } from './proposal.ts'
import { tsLiteral } from './ts-literal.ts'

/**
 * A configuration file of a proposal.
 * @param imports whether 'sluice' can be imported where the file will be; a plain object does as well
 */
export function proposalText({ documents, skipped, notes = [] }: Proposal, imports: boolean): string {
  const body = documents.flatMap(({ name, definition, notes: own }) => [
    ...own.map((note) => comment(note)),
    `    ${name}: {`,
    ...Object.entries(definition).flatMap(([key, value]) => property(key, value, imports)),
    '    },',
  ])
  const names = body.some((line) => line.includes('sql(')) && imports ? 'defineConfig, sql' : 'defineConfig'
  return [
    ...(imports ? [`import { ${names} } from 'sluice'`, ''] : []),
    '// What Elasticsearch should hold. Change it as you like, then put it into effect: sluice install',
    '// Servers come from the environment (DATABASE_URL, ELASTICSEARCH_URL) or from .env.',
    `export default ${imports ? 'defineConfig({' : '{'}`,
    '  documents: {',
    ...notes.map((note) => comment(note)),
    ...body,
    ...(skipped.length > 0 && documents.length > 0 ? [''] : []),
    ...skipped.map(({ table, reason }) => comment(`${table} is left out: ${reason}`)),
    '  },',
    imports ? '})' : '}',
    '',
  ].join('\n')
}

function property(key: string, value: unknown, imports: boolean): readonly string[] {
  if (value === undefined) return []
  const text = tsLiteral(value, { indent: 6, taken: key.length + 3, sqlFunction: imports })
  return [`      ${key}: ${text},${key === 'index' ? ' // the alias that searches use' : ''}`]
}

function comment(text: string): string {
  return `    // ${text.replaceAll(/\s*[\n\r\u2028\u2029]\s*/g, ' ')}`
}
