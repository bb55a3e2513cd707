import type { TriggerCase } from './case.ts'

const upsert = 'INSERT INTO geo.city (id, name) SELECT id, name FROM incoming ON CONFLICT (id) DO'
const merge = 'MERGE INTO geo.city c USING incoming i ON c.id = i.id'

/** Statements that change rows. */
export const statements: readonly TriggerCase[] = [
  { name: 'INSERT of one row', sql: "INSERT INTO geo.city VALUES (9, 'nine')", marks: ['city insert 9'] },
  {
    name: 'INSERT of several rows',
    sql: "INSERT INTO geo.city VALUES (8, 'a'), (9, 'b')",
    marks: ['city insert 8,9'],
  },
  {
    name: 'INSERT … SELECT',
    sql: 'INSERT INTO geo.city SELECT id + 10, name FROM incoming',
    marks: ['city insert 14,15,16,17'],
  },
  { name: 'INSERT DEFAULT VALUES', sql: 'INSERT INTO made DEFAULT VALUES', marks: ['made insert 3'] },
  {
    name: 'INSERT … RETURNING',
    sql: "INSERT INTO geo.city VALUES (9, 'nine') RETURNING id",
    marks: ['city insert 9'],
  },
  { name: 'ON CONFLICT DO NOTHING', sql: `${upsert} NOTHING`, marks: ['city insert 6,7'] },
  {
    name: 'ON CONFLICT DO UPDATE',
    sql: `${upsert} UPDATE SET name = excluded.name`,
    marks: ['city insert 6,7', 'city update 5'],
  },
  {
    name: 'ON CONFLICT DO UPDATE WHERE',
    sql: `${upsert} UPDATE SET name = 'x' WHERE excluded.id = 4`,
    marks: ['city insert 6,7', 'city update 4'],
  },
  {
    name: 'COPY',
    sql: String.raw`COPY geo.city (id, name) FROM PROGRAM 'printf "8\teight\n9\tnine\n"'`,
    marks: ['city insert 8,9'],
  },

  {
    name: 'UPDATE of a used column',
    sql: "UPDATE geo.city SET name = 'x' WHERE id < 3",
    marks: ['city update 1,2'],
  },
  { name: 'UPDATE of an unused column', sql: "UPDATE geo.city SET note = 'x'", marks: [] },
  { name: 'UPDATE to the same value', sql: 'UPDATE geo.city SET name = name', marks: [] },
  { name: 'UPDATE of a key', sql: 'UPDATE geo.city SET id = 10 WHERE id = 1', marks: ['city update 1,10'] },
  {
    name: 'UPDATE that swaps keys',
    sql: 'UPDATE pet SET id = 22 - id WHERE id IN (10, 12)',
    marks: ['pet update 10,12'],
  },
  {
    name: 'UPDATE … FROM',
    sql: 'UPDATE geo.city c SET name = i.name FROM incoming i WHERE i.id = c.id',
    marks: ['city update 5'],
  },
  {
    name: 'UPDATE … RETURNING old and new',
    since: 18,
    sql: "UPDATE geo.city SET name = 'x' WHERE id = 1 RETURNING old.name, new.name",
    marks: ['city update 1'],
  },
  {
    name: 'UPDATE WHERE CURRENT OF',
    sql: "DECLARE c CURSOR FOR SELECT * FROM geo.city WHERE id = 2 FOR UPDATE; FETCH c; UPDATE geo.city SET name = 'x' WHERE CURRENT OF c",
    marks: ['city update 2'],
  },
  { name: 'SELECT FOR UPDATE', sql: 'SELECT FROM geo.city FOR UPDATE', marks: [] },
  { name: 'DELETE', sql: 'DELETE FROM geo.city WHERE id < 3', marks: ['city delete 1,2'] },
  {
    name: 'DELETE … USING … RETURNING',
    sql: 'DELETE FROM geo.city c USING incoming i WHERE i.id = c.id RETURNING c.*',
    marks: ['city delete 4,5'],
  },
  {
    name: 'MERGE with every branch',
    sql: `${merge} WHEN MATCHED AND i.id = 4 THEN DELETE WHEN MATCHED THEN UPDATE SET name = i.name WHEN NOT MATCHED AND i.id = 7 THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (i.id, i.name)`,
    marks: ['city delete 4', 'city insert 6', 'city update 5'],
  },
  {
    name: 'MERGE … RETURNING',
    since: 17,
    sql: `${merge} WHEN NOT MATCHED THEN INSERT VALUES (i.id, i.name) RETURNING merge_action()`,
    marks: ['city insert 6,7'],
  },
  {
    name: 'MERGE WHEN NOT MATCHED BY SOURCE',
    since: 17,
    sql: `${merge} WHEN NOT MATCHED BY SOURCE THEN DELETE`,
    marks: ['city delete 1,2,3'],
  },
  {
    name: 'WITH that changes data',
    sql: "WITH gone AS (DELETE FROM geo.city WHERE id = 1 RETURNING id) INSERT INTO geo.city SELECT id + 100, 'x' FROM gone",
    marks: ['city delete 1', 'city insert 101'],
  },

  { name: 'TRUNCATE', sql: 'TRUNCATE geo.city', marks: ['city truncate everything'] },
  {
    name: 'TRUNCATE of several tables',
    sql: 'TRUNCATE geo.city, stamped, incoming',
    marks: ['city truncate everything', 'stamped truncate everything'],
  },
  { name: 'TRUNCATE … CASCADE', sql: 'TRUNCATE owner CASCADE', marks: ['pet truncate everything'] },
  {
    name: 'TRUNCATE … RESTART IDENTITY',
    sql: 'TRUNCATE made RESTART IDENTITY',
    marks: ['made truncate everything'],
  },

  { name: 'a view: INSERT', sql: "INSERT INTO town VALUES (8, 'eight')", marks: ['city insert 8'] },
  {
    name: 'a view: UPDATE and DELETE',
    sql: "UPDATE town SET name = 'x' WHERE id = 1; DELETE FROM town WHERE id = 2",
    marks: ['city delete 2', 'city update 1'],
  },
  {
    name: 'a view: MERGE',
    since: 17,
    sql: "MERGE INTO town t USING incoming i ON t.id = i.id WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN INSERT VALUES (i.id, i.name)",
    marks: ['city insert 6,7', 'city update 4,5'],
  },
  { name: 'a rule: INSERT instead', sql: "INSERT INTO inbox VALUES (8, 'eight')", marks: ['city insert 8'] },
  { name: 'a rule: UPDATE also', sql: "UPDATE inbox SET name = 'y'", marks: ['city update 1'] },
  { name: 'a function', sql: "SELECT add_city(8, 'eight'), add_city(9, 'nine')", marks: ['city insert 8,9'] },
  {
    name: 'a block with an exception',
    sql: "DO $$ BEGIN BEGIN INSERT INTO geo.city VALUES (8, 'a'); INSERT INTO geo.city VALUES (8, 'a'); EXCEPTION WHEN unique_violation THEN NULL; END; INSERT INTO geo.city VALUES (9, 'b'); END $$",
    marks: ['city insert 9'],
  },

  {
    name: 'a BEFORE trigger that changes the key',
    sql: "INSERT INTO stamped VALUES (3, NULL, 'renumbered')",
    marks: ['stamped insert 103'],
  },
  {
    name: 'a BEFORE trigger that refuses the row',
    sql: "INSERT INTO stamped VALUES (3, NULL, 'refused'), (4, NULL, 'c')",
    marks: ['stamped insert 4'],
  },
  {
    name: 'an AFTER trigger that changes another row',
    sql: "INSERT INTO stamped VALUES (3, 1, 'c'), (4, 2, 'd')",
    marks: ['stamped insert 3,4', 'stamped update 1,2'],
  },
  {
    name: 'a deferred constraint trigger',
    sql: 'UPDATE stamped SET parent = 2 WHERE id = 1; SET CONSTRAINTS ALL IMMEDIATE',
    marks: ['stamped update 1,2'],
  },

  {
    name: 'ON DELETE CASCADE',
    sql: 'DELETE FROM pet WHERE id = 12; DELETE FROM owner WHERE id = 2',
    marks: ['pet delete 10,11,12'],
  },
  { name: 'ON UPDATE CASCADE', sql: 'UPDATE owner SET id = 20 WHERE id = 2', marks: ['pet update 10,11'] },
  { name: 'ON DELETE SET NULL', sql: 'DELETE FROM owner WHERE id = 3', marks: ['pet update 10,11'] },
  { name: 'ON DELETE SET DEFAULT', sql: 'DELETE FROM owner WHERE id = 4', marks: ['pet update 10,11'] },
  {
    name: 'a deferred foreign key',
    sql: "INSERT INTO pet VALUES (13, 'd', NULL, NULL, 9); INSERT INTO owner VALUES (9); SET CONSTRAINTS ALL IMMEDIATE",
    marks: ['pet insert 13'],
  },

  {
    name: 'a rolled back savepoint',
    sql: "INSERT INTO geo.city VALUES (8, 'a'); SAVEPOINT s; DELETE FROM geo.city; TRUNCATE stamped; ROLLBACK TO s",
    marks: ['city insert 8'],
  },
  {
    name: 'PREPARE TRANSACTION, not committed yet',
    committed: { undo: "ROLLBACK PREPARED 'p'" },
    sql: "BEGIN;\nINSERT INTO geo.city VALUES (8, 'a');\nPREPARE TRANSACTION 'p'",
    marks: [],
  },
  {
    name: 'COMMIT PREPARED',
    committed: { undo: 'DELETE FROM geo.city WHERE id = 8' },
    sql: "BEGIN;\nINSERT INTO geo.city VALUES (8, 'a');\nPREPARE TRANSACTION 'p';\nCOMMIT PREPARED 'p'",
    marks: ['city insert 8'],
  },
  {
    name: 'ROLLBACK PREPARED',
    committed: { undo: 'SELECT' },
    sql: "BEGIN;\nINSERT INTO geo.city VALUES (8, 'a');\nPREPARE TRANSACTION 'p';\nROLLBACK PREPARED 'p'",
    marks: [],
  },

  {
    name: 'an identity column, overridden',
    sql: 'INSERT INTO made (id) OVERRIDING SYSTEM VALUE VALUES (77)',
    marks: ['made insert 77'],
  },
  {
    name: 'a stored or virtual generated column',
    sql: 'UPDATE made SET a = 7 WHERE id = 1',
    marks: ['made update 1'],
  },
  { name: 'what a generated column is not made of', sql: 'UPDATE made SET b = 7', marks: [] },
  { name: 'an unlogged table', sql: "INSERT INTO quiet VALUES (2, 'b')", marks: ['quiet insert 2'] },
  {
    name: 'row-level security',
    sql: "SET LOCAL app.tenant = 'x'; SET LOCAL ROLE app; UPDATE account SET name = 'z'; INSERT INTO account VALUES (3, 'x', 'c'); DELETE FROM account WHERE id = 2; RESET ROLE",
    marks: ['account insert 3', 'account update 1'],
  },
  {
    name: 'a temporary table of the same name',
    sql: "SET LOCAL search_path = pg_temp, geo, public; CREATE TEMP TABLE city (LIKE geo.city); INSERT INTO city VALUES (8, 'a'); INSERT INTO geo.city VALUES (9, 'b')",
    marks: ['city insert 9'],
  },

  {
    name: 'partitions: INSERT',
    sql: "INSERT INTO event VALUES ('a', 5, 'x'), ('b', 6, 'x')",
    marks: ['event insert a:5,b:6'],
  },
  {
    name: 'partitions: UPDATE and DELETE',
    sql: "UPDATE event SET title = 'y' WHERE id = 1; DELETE FROM event WHERE id = 2",
    marks: ['event delete b:2', 'event update a:1'],
  },
  { name: 'partitions: UPDATE of an unused column', sql: "UPDATE event SET note = 'y'", marks: [] },
  {
    name: 'partitions: INSERT, UPDATE, DELETE of a leaf',
    sql: "INSERT INTO event_b1 VALUES ('b', 6, 'x'); UPDATE event_b1 SET title = 'y' WHERE id = 2; DELETE FROM event_a",
    marks: ['event delete a:1', 'event insert b:6', 'event update b:2'],
  },
  {
    name: 'partitions: ON CONFLICT',
    sql: "INSERT INTO event VALUES ('a', 1, 'y'), ('a', 5, 'y') ON CONFLICT (region, id) DO UPDATE SET title = excluded.title",
    marks: ['event insert a:5', 'event update a:1'],
  },
  {
    name: 'partitions: COPY',
    sql: String.raw`COPY event (region, id) FROM PROGRAM 'printf "a\t8\nb\t9\n"'`,
    marks: ['event insert a:8,b:9'],
  },
  {
    name: 'partitions: UPDATE that moves a row',
    sql: "UPDATE event SET region = 'b' WHERE id = 1",
    marks: ['event delete a:1', 'event insert b:1'],
  },
  {
    name: 'partitions: MERGE that moves a row',
    sql: "MERGE INTO event e USING (VALUES (1), (9)) AS v (id) ON e.id = v.id WHEN MATCHED THEN UPDATE SET region = 'b' WHEN NOT MATCHED THEN INSERT VALUES ('a', v.id)",
    marks: ['event delete a:1', 'event insert a:9,b:1'],
  },
  { name: 'partitions: TRUNCATE', sql: 'TRUNCATE event', marks: ['event truncate everything'] },
  { name: 'partitions: TRUNCATE of a leaf', sql: 'TRUNCATE event_b1', marks: ['event truncate everything'] },
]
