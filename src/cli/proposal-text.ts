import type { Proposal } from './proposal.ts'

/**
 * A configuration file of a proposal.
 * @param imports whether 'sluice' can be imported where the file will be; a plain object does as well
 */
export function proposalText({ documents, skipped }: Proposal, imports: boolean): string {
  return [
    ...(imports ? ["import { defineConfig } from 'sluice'", ''] : []),
    '// What Elasticsearch should hold. Change it as you like, then put it into effect: sluice install',
    '// Servers come from the environment (DATABASE_URL, ELASTICSEARCH_URL) or from .env.',
    `export default ${imports ? 'defineConfig({' : '{'}`,
    '  documents: {',
    ...documents.flatMap(({ name, definition: { table, index, omit }, notes }) => [
      ...notes.map((note) => comment(note)),
      `    ${name}: {`,
      `      table: ${quote(table)},`,
      `      index: ${quote(index)}, // the alias that searches use`,
      ...(omit === undefined ? [] : [`      omit: [${omit.map(quote).join(', ')}],`]),
      '    },',
    ]),
    ...(skipped.length > 0 && documents.length > 0 ? [''] : []),
    ...skipped.map(({ table, reason }) => comment(`${table} is left out: ${reason}`)),
    '  },',
    imports ? '})' : '}',
    '',
  ].join('\n')
}

function comment(text: string): string {
  return `    // ${text.replaceAll(/\s*[\n\r\u2028\u2029]\s*/g, ' ')}`
}

function quote(text: string): string {
  return /['\\\n\r\u2028\u2029]/.test(text) ? JSON.stringify(text) : `'${text}'`
}
