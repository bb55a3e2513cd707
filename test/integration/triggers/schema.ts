import type { DocumentDefinition } from '../../../src/config/types.ts'

/** Tables of an application that uses what Postgres has. */
export const schema = (version: number) => `
  CREATE SCHEMA geo;
  CREATE TABLE geo.city (id int PRIMARY KEY, name text, note text, extra int);
  CREATE VIEW town AS SELECT id, name, note FROM geo.city WHERE id < 100;
  CREATE TABLE inbox (id int, name text);
  INSERT INTO inbox VALUES (1, 'x');
  CREATE RULE inbox_insert AS ON INSERT TO inbox DO INSTEAD INSERT INTO geo.city VALUES (NEW.id, NEW.name);
  CREATE RULE inbox_update AS ON UPDATE TO inbox DO ALSO UPDATE geo.city SET name = NEW.name WHERE id = OLD.id;
  CREATE TABLE incoming (id int, name text);
  CREATE FUNCTION add_city(int, text) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO geo.city VALUES ($1, $2)';

  -- A trigger that changes the row, and one that changes others.
  CREATE TABLE stamped (id int PRIMARY KEY, parent int, name text, children int NOT NULL DEFAULT 0);
  CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.name = 'refused' THEN RETURN NULL; END IF;
    IF NEW.name = 'renumbered' THEN NEW.id := NEW.id + 100; END IF;
    RETURN NEW; END $$;
  CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();
  CREATE FUNCTION count_children() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE stamped SET children = children + 1 WHERE id = NEW.parent; RETURN NULL; END $$;
  CREATE TRIGGER count_children AFTER INSERT ON stamped FOR EACH ROW EXECUTE FUNCTION count_children();
  CREATE CONSTRAINT TRIGGER count_late AFTER UPDATE OF parent ON stamped DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION count_children();

  CREATE TABLE owner (id int PRIMARY KEY);
  CREATE TABLE pet (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, name text,
    keeper int REFERENCES owner ON DELETE CASCADE ON UPDATE CASCADE,
    vet int REFERENCES owner ON DELETE SET NULL,
    friend int DEFAULT 1 REFERENCES owner ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED);

  CREATE TABLE event (region text, id int, title text, note text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
  CREATE TABLE event_a PARTITION OF event FOR VALUES IN ('a');
  CREATE TABLE event_b PARTITION OF event FOR VALUES IN ('b') PARTITION BY RANGE (id);
  CREATE TABLE event_b1 PARTITION OF event_b FOR VALUES FROM (0) TO (100);
  CREATE TABLE event_c (LIKE event INCLUDING ALL);

  CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int DEFAULT 0, b int,
    twice int GENERATED ALWAYS AS (a * 2) STORED${version >= 18 ? ', thrice int GENERATED ALWAYS AS (a * 3) VIRTUAL' : ''});

  CREATE UNLOGGED TABLE quiet (id int PRIMARY KEY, name text);

  CREATE TABLE account (id int PRIMARY KEY, tenant text, name text);
  ALTER TABLE account ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON account USING (tenant = current_setting('app.tenant', true));
  CREATE ROLE app;
  GRANT SELECT, INSERT, UPDATE, DELETE ON account TO app`

/** Two rows and more of each. */
export const rows = `
  INSERT INTO geo.city SELECT n, 'city ' || n FROM generate_series(1, 5) n;
  INSERT INTO incoming VALUES (4, 'city 4'), (5, 'renamed'), (6, 'new'), (7, 'new');
  INSERT INTO stamped VALUES (1, NULL, 'a'), (2, NULL, 'b');
  INSERT INTO owner SELECT generate_series(1, 4);
  INSERT INTO pet VALUES (10, 'a', 2, 3, 4), (11, 'b', 2, 3, 4), (12, 'c', 1, 1, 1);
  INSERT INTO event VALUES ('a', 1, 'x'), ('b', 2, 'x');
  INSERT INTO event_c VALUES ('c', 3, 'x');
  INSERT INTO made (a) VALUES (1), (2);
  INSERT INTO quiet VALUES (1, 'a');
  INSERT INTO account VALUES (1, 'x', 'a'), (2, 'y', 'b')`

export const definitions = (
  prefix: string,
  version: number,
): Readonly<Record<string, DocumentDefinition>> => ({
  city: { table: 'geo.city', index: `${prefix}city`, fields: ['id', 'name'] },
  stamped: { table: 'stamped', index: `${prefix}stamped` },
  pet: { table: 'pet', index: `${prefix}pet`, omit: ['name'] },
  event: { table: 'event', index: `${prefix}event`, fields: ['region', 'id', 'title'] },
  made: {
    table: 'made',
    index: `${prefix}made`,
    fields: ['id', 'twice', ...(version >= 18 ? ['thrice'] : [])],
  },
  quiet: { table: 'quiet', index: `${prefix}quiet` },
  account: { table: 'account', index: `${prefix}account`, fields: ['id', 'name'] },
})
