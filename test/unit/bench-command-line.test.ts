import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { addressOf, asUserOf } from '../bench/address.ts'
import { type Cell, usual } from '../bench/cell.ts'
import { commandOf, describeServers, optionsOf, readCommand } from '../bench/command-line.ts'
import { helpText } from '../bench/help.ts'

/** The command line of `npm run bench`. */

function cell(name: string, more: Partial<Cell> = {}): Cell {
  return {
    name,
    about: `about ${name}`,
    defaults: usual,
    figures: {},
    world: { documents: {} },
    measure: () => {
      throw new Error('nothing is measured here')
    },
    ...more,
  }
}

const drain = cell('drain')
const idle = cell('idle', { ownServers: 'it reads /proc' })
const cells = [drain, idle, cell('scale')]
const read = (...args: readonly string[]) => readCommand(args, cells)
const outside = [
  '--postgres',
  'postgres://me:secret@db.example:5433/app',
  '--elasticsearch',
  'https://search.example',
]

function complaint(...args: readonly string[]): string {
  try {
    read(...args)
  } catch (error) {
    if (error instanceof UsageError) return `${error.message} ${error.remedy ?? ''}`
    throw error
  }
  return 'nothing'
}

describe('a cell', () => {
  test('has the numbers that are stated, and its own where none is', () => {
    const command = read('drain', '--rounds', '2', '--rows', '5000', '--json')
    expect(command).toEqual({
      kind: 'cell',
      cell: drain,
      json: true,
      flags: { rounds: 2, rows: 5000 },
      outside: null,
    })
    expect(optionsOf(drain, { rounds: 2 })).toEqual({ ...usual, rounds: 2 })
  })

  test.each(['0', '-1', '1.5', 'many', '1e3', ''])('%j is no number of rounds', (text) => {
    expect(complaint('drain', `--rounds=${text}`)).toMatch(/^--rounds: .* is no whole number from 1 on/)
  })

  test.each([['--out', 'there'], ['--cells', 'drain'], ['--resume'], ['--again'], ['--all']])(
    'does not take %s, which is the report’s',
    (...flag) => {
      expect(complaint('drain', ...flag)).toMatch(new RegExp(`^${flag[0]}: it belongs to the report`))
    },
  )

  test('is one, and one there is', () => {
    expect(complaint('drian')).toMatch(/^drian: name one cell, or none for all of them: drain, idle, scale/)
    expect(complaint('drain', 'idle')).toMatch(/^drain idle: name one cell/)
    expect(complaint('drain', '--rouns', '1')).toContain('--rouns')
  })
})

describe('the report', () => {
  test.each([[[]], [['report']], [['--all']], [['report', '--all']]])('%j is all cells', (args) => {
    expect(read(...args)).toEqual({
      kind: 'report',
      cells,
      out: 'bench-report',
      into: 'new',
      flags: {},
      outside: null,
    })
  })

  test('is of the cells that are listed, in its own order', () => {
    expect(read('--cells', 'scale, drain', '--out', 'there', '--resume')).toMatchObject({
      cells: [drain, { name: 'scale' }],
      out: 'there',
      into: 'resume',
    })
    expect(complaint('--cells', 'drain,drian')).toMatch(
      /^--cells: no cell is called "drian" There are drain, idle/,
    )
    expect(complaint('--cells', 'drain', '--all')).toMatch(/^--cells: /)
    expect(complaint('--json')).toMatch(/^--json: /)
  })

  test('is measured anew in parts that are named', () => {
    expect(read('--cells', 'drain', '--again')).toMatchObject({ cells: [drain], into: 'again' })
    expect(complaint('--again')).toMatch(/^--again: name what to measure anew: --cells/)
    expect(complaint('--cells', 'drain', '--again', '--resume')).toMatch(/^--resume: /)
  })
})

describe('servers that are there', () => {
  test('are named together', () => {
    expect(read('drain', ...outside)).toMatchObject({
      outside: { postgres: outside[1], elasticsearch: outside[3] },
    })
    expect(complaint('drain', ...outside.slice(0, 2))).toMatch(/it takes both servers, or none/)
  })

  test.each([
    ['mysql://me:secret@db', outside[3], '--postgres'],
    ['db.example', outside[3], '--postgres'],
    [outside[1], 'search.example:9200', '--elasticsearch'],
    [outside[1], 'postgres://me:secret@search', '--elasticsearch'],
    [outside[1], 'http://me:secret@search/below', '--elasticsearch'],
  ])(
    '%s and %s: one of them is none, and its password is not told',
    (postgres = '', elasticsearch = '', where) => {
      const told = complaint('drain', '--postgres', postgres, '--elasticsearch', elasticsearch)
      expect(told).toMatch(new RegExp(`^${where}: `))
      expect(told).not.toContain('secret')
    },
  )

  test('a cell that needs its own says why; a report leaves it out', () => {
    expect(complaint('idle', ...outside)).toMatch(
      /^idle: this cell needs servers of its own: it reads \/proc/,
    )
    expect(read(...outside)).toMatchObject({ kind: 'report', cells })
    expect(helpText(cells)).toMatch(/which need servers of their own:\n\s+idle\s+it reads \/proc\n/)
  })

  test('neither the command nor the report says who may use them', () => {
    const { outside: given } = read('drain', ...outside) as {
      outside: { postgres: string; elasticsearch: string }
    }
    expect(commandOf(drain, { rows: 7, rounds: 1 }, given)).toBe(
      'npm run bench -- drain --rounds 1 --rows 7 --postgres … --elasticsearch …',
    )
    expect(commandOf(drain, {}, null)).toBe('npm run bench -- drain')
    expect(describeServers(given)).toBe('db.example:5433, search.example')
    expect(describeServers(null)).toBe('own')
  })

  test('a name and its password go into a header, and along to whoever stands between', () => {
    const url = 'https://me:p%40ss@search.example:9243/'
    expect(addressOf(url)).toEqual({
      origin: 'https://search.example:9243',
      headers: { authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}` },
    })
    expect(addressOf('http://search.example/')).toEqual({ origin: 'http://search.example', headers: {} })
    expect(asUserOf(url, 'http://127.0.0.1:4000')).toBe('http://me:p%40ss@127.0.0.1:4000/')
  })
})
