import { parseArgs } from 'node:util'
import { UsageError } from '../../src/errors.ts'
import type { Cell, CellOptions } from './cell.ts'
import type { Outside } from './servers.ts'

/** What was asked for, checked. Pure. */
export type Command =
  | { readonly kind: 'help' }
  | (Shared & { readonly kind: 'cell'; readonly cell: Cell; readonly json: boolean })
  | (Shared & {
      readonly kind: 'report'
      readonly cells: readonly Cell[]
      /** Directory. */
      readonly out: string
      readonly into: Into
    })

interface Shared {
  /** What was stated; the rest is the cell's own. */
  readonly flags: Flags
  /** null: each cell starts servers of its own. */
  readonly outside: Outside | null
}

/**
 * Where a report may be: none yet (`new`); one to go on with, of this very program (`resume`); one in which these cells are
 * measured anew and the others stay, of whatever commit they are (`again`).
 */
export type Into = 'new' | 'resume' | 'again'

export type Flags = Partial<Pick<CellOptions, 'rounds' | 'rows' | 'seconds'>> & { readonly rate?: number }

const numbers = ['rounds', 'rows', 'rate', 'seconds'] as const

/** Where the report goes unless it is told to go elsewhere; git ignores it. */
export const OUT = 'bench-report'

export function readCommand(args: readonly string[], cells: readonly Cell[]): Command {
  const { values, positionals } = parse(args)
  if (values.help === true) return { kind: 'help' }
  const [name, ...more] = positionals
  const whole = name === undefined || name === 'report'
  const cell = cells.find((candidate) => candidate.name === name)
  if (more.length > 0 || (cell === undefined && !whole)) {
    throw new UsageError(
      `name one cell, or none for all of them: ${cells.map((one) => one.name).join(', ')}`,
      { where: positionals.join(' ') },
    )
  }
  const shared = { flags: flagsOf(values), outside: outsideOf(values) }
  if (cell === undefined) {
    refuse(values, ['json'], 'the report has report.json')
    if (values.all === true) refuse(values, ['cells'], '--all are all of them')
    const { out = OUT } = values
    return { kind: 'report', ...shared, cells: chosen(values.cells, cells), out, into: intoOf(values) }
  }
  refuse(
    values,
    ['all', 'cells', 'out', 'resume', 'again'],
    'it belongs to the report, which is made where no cell is named',
  )
  checkOutside(cell, shared.outside)
  return { kind: 'cell', ...shared, cell, json: values.json === true }
}

/** What a cell is measured with. */
export function optionsOf({ defaults }: Cell, flags: Flags): CellOptions {
  return { ...defaults, ...flags }
}

/** The command that measures it so, without the addresses of servers: there may be passwords in them. */
export function commandOf({ name }: Pick<Cell, 'name'>, flags: Flags, outside: Outside | null): string {
  const stated = numbers.flatMap((flag) => (flags[flag] === undefined ? [] : [`--${flag} ${flags[flag]}`]))
  const servers = outside === null ? [] : ['--postgres … --elasticsearch …']
  return ['npm run bench --', name, ...stated, ...servers].join(' ')
}

/** Where the servers are, without names and passwords. */
export function describeServers(outside: Outside | null): string {
  if (outside === null) return 'own'
  return `${new URL(outside.postgres).host}, ${new URL(outside.elasticsearch).host}`
}

type Values = ReturnType<typeof parse>['values']

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...{ rounds: text, rows: text, rate: text, seconds: text, json: flag, help: flag },
        ...{
          all: flag,
          cells: text,
          out: text,
          resume: flag,
          again: flag,
          postgres: text,
          elasticsearch: text,
        },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { remedy: 'See --help.' })
  }
}

function flagsOf(values: Values): Flags {
  return Object.fromEntries(
    numbers.flatMap((flag) => {
      const value = values[flag]
      if (value === undefined) return []
      if (!/^[1-9]\d{0,8}$/.test(value))
        throw new UsageError(`${JSON.stringify(value)} is no whole number from 1 on`, { where: `--${flag}` })
      return [[flag, Number(value)]]
    }),
  )
}

function intoOf(values: Values): Into {
  if (values.again !== true) return values.resume === true ? 'resume' : 'new'
  refuse(values, ['resume'], '--again measures anew what --resume would keep')
  if (values.cells === undefined)
    throw new UsageError('name what to measure anew: --cells', { where: '--again' })
  return 'again'
}

function chosen(list: string | undefined, cells: readonly Cell[]): readonly Cell[] {
  if (list === undefined) return cells
  const names = list.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !cells.some((cell) => cell.name === name))
  if (unknown.length > 0) {
    throw new UsageError(`no cell is called ${unknown.map((name) => JSON.stringify(name)).join(', ')}`, {
      where: '--cells',
      remedy: `There are ${cells.map(({ name }) => name).join(', ')}.`,
    })
  }
  return cells.filter(({ name }) => names.includes(name))
}

function outsideOf({ postgres, elasticsearch }: Values): Outside | null {
  if (postgres === undefined && elasticsearch === undefined) return null
  if (postgres === undefined || elasticsearch === undefined) {
    throw new UsageError('it takes both servers, or none', { where: '--postgres, --elasticsearch' })
  }
  check('--postgres', postgres, ['postgres:', 'postgresql:'])
  const { pathname } = check('--elasticsearch', elasticsearch, ['http:', 'https:'])
  if (pathname !== '/') {
    throw new UsageError('a path is not supported: the address of a node was expected', {
      where: '--elasticsearch',
    })
  }
  return { postgres, elasticsearch }
}

/** What is wrong with an address is told without it. */
function check(where: string, url: string, protocols: readonly string[]): URL {
  const parsed = URL.parse(url)
  if (parsed !== null && protocols.includes(parsed.protocol) && parsed.hostname !== '') return parsed
  throw new UsageError(`no URL that begins with ${protocols.map((one) => `${one}//`).join(' or ')}`, {
    where,
  })
}

/** UsageError where a cell cannot run there. */
function checkOutside({ name, ownServers }: Cell, outside: Outside | null): void {
  if (outside === null || ownServers === undefined) return
  throw new UsageError(`this cell needs servers of its own: ${ownServers}`, { where: name })
}

function refuse(values: Values, flags: readonly (keyof Values)[], reason: string): void {
  const stated = flags.find((flag) => values[flag] !== undefined)
  if (stated !== undefined) throw new UsageError(reason, { where: `--${stated}` })
}
