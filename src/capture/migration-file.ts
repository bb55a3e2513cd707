import { UsageError } from '../errors.ts'
import { type SqlStatement, splitSql } from './split-sql.ts'

/** A migration of the application, ready to be tried. */
export interface MigrationFile {
  /** As it was named. */
  readonly name: string
  readonly statements: readonly SqlStatement[]
  /** Line where its way back begins, which is left out; null where it has none. */
  readonly downFrom: number | null
}

/** How migration tools mark the way back in a file: dbmate, goose, sql-migrate, node-pg-migrate. */
const DOWN = /^[ \t]*--[ \t]*(?:migrate:down|\+goose[ \t]+down|\+migrate[ \t]+down|down[ \t]+migration)\b/im

/**
 * Reads a migration's text. Throws a UsageError where it cannot be tried in a transaction that is taken back: it
 * controls transactions itself, or is made for psql. (What Postgres refuses within a transaction, it says itself.)
 * The way back is cut off: forth and back would come to nothing, and look harmless.
 */
export function readMigration(name: string, text: string): MigrationFile {
  const down = DOWN.exec(text)
  const forth = down === null ? text : text.slice(0, down.index)
  const statements = splitSql(forth)
  for (const statement of statements) refuse(name, statement)
  return { name, statements, downFrom: down === null ? null : forth.split('\n').length }
}

function refuse(name: string, { sql, words, line }: SqlStatement): void {
  const where = `${name}:${line}`
  if (controlsTransaction(words)) {
    const text = sql.split('\n')[0]
    throw new UsageError(`"${text}" controls the transaction, which check needs for taking all of it back`, {
      where,
      remedy: 'Check a copy without it; migration tools wrap each file in a transaction themselves.',
    })
  }
  if (sql.startsWith('\\')) {
    throw new UsageError(`${sql.split(/\s/)[0]} is a command of psql, not SQL`, {
      where,
      remedy: 'Check a file of plain SQL.',
    })
  }
  if (words[0] === 'COPY' && /\bFROM\s+STDIN\b/i.test(sql)) {
    throw new UsageError('COPY … FROM STDIN needs psql', { where, remedy: 'Write it as INSERT.' })
  }
}

function controlsTransaction([first, second]: readonly string[]): boolean {
  switch (first) {
    case 'BEGIN':
    case 'COMMIT':
    case 'END':
    case 'ROLLBACK':
    case 'ABORT':
    case 'SAVEPOINT':
    case 'RELEASE':
      return true
    case 'START':
    case 'PREPARE':
      return second === 'TRANSACTION'
    default:
      return false
  }
}
