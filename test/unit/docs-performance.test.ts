import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cells } from '../bench/cells.ts'
import { plot } from '../bench/plot.ts'
import { readReport } from '../bench/report-file.ts'
import { reportText } from '../bench/report-text.ts'

/**
 * The report of docs/ is what `npm run bench` printed, and the page has its figures. After a new report:
 * npx vitest run test/unit/docs-performance.test.ts -u
 */

const docs = join(import.meta.dirname, '../../docs')
const directory = join(docs, 'benchmark')
const report = await readReport(directory)
if (report === null) throw new Error(`there is no report in ${directory}`)
const read = (path: string) => readFileSync(join(docs, path), 'utf8')

test('docs/benchmark/report.md and its plots are what is printed of report.json', () => {
  expect(read('benchmark/report.md')).toBe(reportText(report))
  for (const [name, cell] of Object.entries(report.cells)) {
    if (cell.state === 'measured') expect(read(`benchmark/plots/${name}.svg`), name).toBe(plot(name, cell))
  }
})

test('the report is of commits, and of cells that exist', () => {
  for (const [name, cell] of Object.entries(report.cells)) {
    if (cell.state !== 'left out') expect(cell.commit, name).toMatch(/^[0-9a-f]+$/)
  }
  const names = cells.map(({ name }) => name)
  expect(Object.keys(report.cells).filter((name) => !names.includes(name))).toEqual([])
})

test('docs/performance.md has the figures of the report', async () => {
  const [, figures = ''] = /\n## Figures\n\n([\s\S]*?)\n(?=## |$)/.exec(reportText(report)) ?? []
  expect(figures).toMatch(/^\| command \|/)
  const page = read('performance.md').replace(
    /(<!-- figures -->\n)[\s\S]*?(\n<!-- end of figures -->)/,
    (_, before: string, after: string) => `${before}\n${figures}${after}`,
  )
  expect(page).toContain(figures)
  await expect(page).toMatchFileSnapshot('../../docs/performance.md')
})
