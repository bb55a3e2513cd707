-- A campus: uuid keys, jsonb, several schemas, a self-reference, domains, reserved words as names.
CREATE SCHEMA "user";
CREATE SCHEMA billing;
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN "user".handle AS character varying(30) NOT NULL;
CREATE DOMAIN billing.invoice_number AS bigint CHECK (VALUE > 0);
CREATE TYPE billing.price AS (amount numeric, currency text);

CREATE TABLE "user"."group" (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  parent_id uuid REFERENCES "user"."group",
  "order" int,
  "select" text,
  "from" jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE "user".account (
  id uuid PRIMARY KEY,
  handle "user".handle,
  mail email,
  "group" uuid REFERENCES "user"."group" ON DELETE SET NULL,
  settings jsonb,
  tags jsonb[],
  last_ip inet,
  api_key text
);
CREATE TABLE billing.account (
  "user" uuid NOT NULL REFERENCES "user".account ON DELETE CASCADE,
  "table" "char" NOT NULL,
  balance billing.price,
  PRIMARY KEY ("user", "table")
);
CREATE TABLE billing.invoice (
  number billing.invoice_number PRIMARY KEY,
  "end" date,
  lines json
);
CREATE TABLE account (id uuid PRIMARY KEY, "constructor" text, "default" boolean);

INSERT INTO "user"."group" (id, parent_id, "order", "select", "from") VALUES
  ('10000000-0000-4000-8000-000000000001', NULL, 1, 'all', '{"a": {"b": [1, "two", null]}}'),
  ('10000000-0000-4000-8000-000000000002', '10000000-0000-4000-8000-000000000001', NULL, NULL, '[]'),
  ('10000000-0000-4000-8000-000000000003', '10000000-0000-4000-8000-000000000003', 3, '', '"text"');
INSERT INTO "user".account (id, handle, mail, "group", settings, tags, last_ip, api_key) VALUES
  ('20000000-0000-4000-8000-000000000001', 'ada', 'ada@campus.test', '10000000-0000-4000-8000-000000000002',
   '{"a": 1}', '{"{\"k\": 1}",null}', '10.0.0.1/8', 's3cret'),
  ('20000000-0000-4000-8000-000000000002', 'bo', NULL, NULL, '{"a": "one"}', NULL, '::1', NULL),
  ('20000000-0000-4000-8000-000000000003', 'cy', NULL, NULL, NULL, '{}', NULL, NULL);
INSERT INTO billing.account VALUES
  ('20000000-0000-4000-8000-000000000001', 'a', (9.99, 'CHF')),
  ('20000000-0000-4000-8000-000000000001', 'b', NULL),
  ('20000000-0000-4000-8000-000000000002', 'a', (NULL, 'EUR'));
INSERT INTO billing.invoice VALUES (1, '2026-12-31', '[{"n": 1}, {"n": 2}]'), (9007199254740993, NULL, NULL);
INSERT INTO account VALUES ('30000000-0000-4000-8000-000000000001', 'builder', true);
