import Table from 'cli-table3'
import { paint } from './format.ts'

export interface Column {
  readonly head: string
  readonly align?: 'left' | 'right'
}

/** A table without lines: it can be read, searched and cut into columns. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' }
  const grid = new Table({
    head: columns.map(({ head }) => paint('bold', head)),
    colAligns: columns.map(({ align = 'left' }) => align),
    chars: {
      ...none,
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '  ',
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  grid.push(...rows.map((row) => [...row]))
  return grid
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
