import type { Cell } from './cell.ts'
import { OUT } from './command-line.ts'

/** The text of `--help`. */
export function helpText(cells: readonly Cell[]): string {
  const own = cells.flatMap(({ name, ownServers }) =>
    ownServers === undefined ? [] : [`  ${name.padEnd(22)} ${ownServers}`],
  )
  return `Usage: npm run bench -- <cell> [options]
       npm run bench [-- options]      all cells, and a report

A cell measures one thing on a Postgres and an Elasticsearch of its own (fsync on), and prints each round, then the medians. The
report runs each as a process of its own and writes ${OUT}/report.json, report.md and a plot of each. A cell that fails does
not end the others. docs/performance.md says what each cell means, and what was measured.

Exit code 0 when everything was measured, whatever came out (a cell of counts has to meet them); 1 when something could not be;
2 for a wrong command line.

Cells:
${cells.map(({ name, about }) => `  ${name.padEnd(22)} ${about}`).join('\n')}

Options:
  --rounds <n>           rounds; their median is the figure
  --rows <n>             rows, keys or marks, as the cell has it
  --rate <n>             single-row changes a second, of cells that have them
  --seconds <n>          how long a round takes, of cells that go by time
  --postgres <url>       run on servers that are there, in a database of its own, which is dropped in the end; its user may
  --elasticsearch <url>  create databases. Indices are called bench-…, and are deleted. What the servers' processors did is
                         not told then. Not with these cells, which need servers of their own:
${own.map((line) => `                       ${line}`).join('\n')}
  --json                 of a cell: JSON lines on standard output; progress stays on standard error
  --help                 this text

Options of the report:
  --cells <a,b,c>        these cells; --all, or nothing: all of them
  --out <directory>      where it goes (default ${OUT})
  --resume               go on with the report that is there: cells that were measured with the same options at the same commit
                         are kept
  --again                measure --cells anew in the report that is there, with the options it was made with; it keeps the
                         others and says of each cell what commit it is of

Defaults by cell:
${cells.map(({ name, defaults: d }) => `  ${name.padEnd(22)} --rounds ${d.rounds} --rows ${d.rows} --seconds ${d.seconds}`).join('\n')}
`
}
