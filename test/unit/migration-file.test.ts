import { describe, expect, test } from 'vitest'
import { readMigration } from '../../src/capture/migration-file.ts'
import { splitSql } from '../../src/capture/split-sql.ts'

const texts = (sql: string) => splitSql(sql).map((statement) => statement.sql)

describe('a file is cut into statements', () => {
  test.each([
    ['at semicolons', 'SELECT 1; SELECT 2;\n', ['SELECT 1', 'SELECT 2']],
    [
      'not in strings',
      `SELECT 'a;''b'; SELECT E'\\';'; SELECT 3`,
      [`SELECT 'a;''b'`, `SELECT E'\\';'`, 'SELECT 3'],
    ],
    ['not in quoted names', 'SELECT "a;""b"; SELECT 2', ['SELECT "a;""b"', 'SELECT 2']],
    ['not in comments', 'SELECT 1 -- a;b\n; /* x; /* y; */ z; */ SELECT 2', ['SELECT 1 -- a;b', 'SELECT 2']],
    [
      'not in dollar quotes',
      'DO $$ BEGIN; END $$; DO $a$ $$;$$ $b$ ; $a$; SELECT $1$2',
      ['DO $$ BEGIN; END $$', 'DO $a$ $$;$$ $b$ ; $a$', 'SELECT $1$2'],
    ],
    [
      'not in parentheses',
      'CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2); SELECT 3',
      ['CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)', 'SELECT 3'],
    ],
    ['nor between two that end', 'SELECT ((1); (2); 3); SELECT 4', ['SELECT ((1); (2); 3)', 'SELECT 4']],
    [
      'whatever is closed too often',
      'SELECT 1)); SELECT (2); SELECT 3',
      ['SELECT 1))', 'SELECT (2)', 'SELECT 3'],
    ],
    [
      'not in the body of a procedure',
      'CREATE PROCEDURE p() BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3',
      ['CREATE PROCEDURE p() BEGIN ATOMIC SELECT 1; SELECT 2; END', 'SELECT 3'],
    ],
    [
      'after a CASE that is in no body',
      'CREATE FUNCTION f() RETURNS int RETURN CASE WHEN true THEN 1 END; SELECT 2',
      ['CREATE FUNCTION f() RETURNS int RETURN CASE WHEN true THEN 1 END', 'SELECT 2'],
    ],
    ...[
      'CREATE FUNCTION f(begin int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
      'DROP FUNCTION begin',
      'CREATE VIEW v AS SELECT 1 AS begin',
      'CREATE OR REPLACE VIEW v AS SELECT 1 AS begin',
    ].map((sql): [string, string, string[]] => [
      'where begin is a name',
      `${sql}; SELECT 2`,
      [sql, 'SELECT 2'],
    ]),
    [
      'not in parsed bodies',
      'CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3',
      [
        'CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END',
        'SELECT 3',
      ],
    ],
    ['whose last one needs none', '\n\nSELECT 1\n', ['SELECT 1']],
    ['of which none is empty', ';;\n-- nothing\n;', []],
  ])('%s', (_, sql, expected) => {
    expect(texts(sql)).toEqual(expected)
  })

  test('with the lines they begin in, and their first words', () => {
    const [first, second] = splitSql('-- one\nALTER /* x */ table t\n ADD c int;\n\n\ndrop TABLE u')
    expect(first).toMatchObject({ line: 2, words: ['ALTER', 'TABLE', 'T', 'ADD', 'C', 'INT'] })
    expect(second).toMatchObject({ line: 6, words: ['DROP', 'TABLE', 'U'] })
    // A name in quotes is no word.
    expect(splitSql('ALTER TABLE "add".t ADD c')[0]?.words).toEqual(['ALTER', 'TABLE', 'T', 'ADD', 'C'])
  })
})

describe('a migration', () => {
  test.each<[string, string]>([
    ['BEGIN; SELECT 1; COMMIT', 'x.sql:1: "BEGIN" controls the transaction'],
    ['SELECT 1;\nstart transaction;', 'x.sql:2: "start transaction" controls'],
    ['SELECT 1;\nEND;', 'x.sql:2: "END" controls'],
    ['ROLLBACK TO a', '"ROLLBACK TO a" controls'],
    [`PREPARE TRANSACTION 'x'`, 'controls the transaction'],
    ['\\connect other\nSELECT 1', '\\connect is a command of psql'],
    ['COPY t FROM stdin;', 'COPY … FROM STDIN needs psql'],
    ['COPY t\nFROM\n  STDIN;', 'COPY … FROM STDIN needs psql'],
    ...['COMMIT', 'END', 'ABORT', 'SAVEPOINT a', 'RELEASE a', 'ROLLBACK'].map((sql): [string, string] => [
      sql,
      `"${sql}" controls`,
    ]),
  ])('%j is refused, with what to do instead', (sql, message) => {
    expect(() => readMigration('x.sql', sql)).toThrow(message)
    expect(() => readMigration('x.sql', sql)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^x\.sql:\d+: /),
        remedy: expect.stringMatching(/\S/),
      }),
    )
  })

  test('may hold what only looks so', () => {
    const sql = `PREPARE q AS SELECT 1; DO $$ BEGIN NULL; END $$; COMMENT ON TABLE t IS 'BEGIN; COMMIT';`
    expect(readMigration('x.sql', sql).statements).toHaveLength(3)
  })

  test('goes on behind what only looks like its end, and may have no way back', () => {
    const sql = `SELECT '-- migrate:down'; SELECT 1 -- migrate:down\n; COPY t TO STDOUT; SELECT 'copied from stdin'`
    const { statements, downFrom } = readMigration('x.sql', sql)
    expect([statements.length, downFrom]).toEqual([4, null])
  })

  test.each([
    ...['-- migrate:down', '-- +goose Down', '-- +migrate Down', '-- Down Migration'],
    ...['--migrate:down', ' \t--  +goose  Down', '-- +migrate   Down', '-- Down  Migration'],
  ])('ends where its way back begins: %s', (marker) => {
    const { statements, downFrom } = readMigration(
      'x.sql',
      `-- up\nALTER TABLE t ADD c int;\n${marker}\nALTER TABLE t DROP c;`,
    )
    expect(statements.map(({ sql }) => sql)).toEqual(['ALTER TABLE t ADD c int'])
    expect(downFrom).toBe(3)
  })
})
