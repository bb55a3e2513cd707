import type { DocumentDefinition } from '../../src/config/types.ts'

/**
 * Products of many tables: a maker and its land, parts in a partitioned table, tags many-to-many; in an index for each
 * tenant. And the same rows once more, routed by their maker.
 *
 * A product and its parts carry the same stamp, for the functions below change it in one transaction: a document in which
 * they differ was torn.
 */
export const relatedTables = `
  CREATE TABLE shop.land (code text PRIMARY KEY, name text NOT NULL);
  CREATE TABLE shop.maker (id integer PRIMARY KEY, name text NOT NULL, founded date, land_code text, notes text);
  CREATE INDEX ON shop.maker (land_code);
  CREATE TABLE shop.product (
    id       bigint  PRIMARY KEY,
    title    text    NOT NULL,
    tenant   text,
    maker_id integer,
    stamp    bigint  NOT NULL DEFAULT 0,
    hidden   boolean NOT NULL DEFAULT false,
    notes    text
  );
  CREATE INDEX ON shop.product (maker_id);
  CREATE TABLE shop.part (
    half       smallint NOT NULL,
    id         bigint   NOT NULL,
    product_id bigint   NOT NULL,
    label      text     NOT NULL,
    stamp      bigint   NOT NULL,
    PRIMARY KEY (half, id)
  ) PARTITION BY LIST (half);
  CREATE TABLE shop.part_0 PARTITION OF shop.part FOR VALUES IN (0);
  CREATE TABLE shop.part_1 PARTITION OF shop.part FOR VALUES IN (1);
  CREATE INDEX ON shop.part (product_id);
  CREATE TABLE shop.tag (id integer PRIMARY KEY, name text NOT NULL);
  CREATE TABLE shop.product_tag (product_id bigint, tag_id integer, PRIMARY KEY (product_id, tag_id));
  CREATE INDEX ON shop.product_tag (tag_id);

  -- Each statement of a function in plpgsql has a snapshot of its own, so that the second one sees what the first waited for.
  CREATE FUNCTION shop.restamp(product bigint, title text) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    next bigint := (random() * 1e12)::bigint;
  BEGIN
    UPDATE shop.product p SET stamp = next, title = restamp.title WHERE p.id = product;
    UPDATE shop.part p SET stamp = next WHERE p.product_id = product;
  END $$;
  CREATE FUNCTION shop.add_part(product bigint, half integer, id bigint, label text) RETURNS void LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  BEGIN
    PERFORM FROM shop.product p WHERE p.id = product FOR UPDATE;
    INSERT INTO shop.part SELECT add_part.half, add_part.id, p.id, add_part.label, p.stamp FROM shop.product p WHERE p.id = product
      ON CONFLICT (half, id) DO NOTHING;
  END $$;
  CREATE FUNCTION shop.move_part(half integer, id bigint, product bigint) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM FROM shop.product p WHERE p.id = product FOR UPDATE;
    UPDATE shop.part t SET product_id = p.id, stamp = p.stamp
      FROM shop.product p WHERE p.id = product AND t.half = move_part.half AND t.id = move_part.id;
  END $$;
  -- Parts go with their product: a later product of that number would have another stamp.
  CREATE FUNCTION shop.drop_product(product bigint) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM FROM shop.product p WHERE p.id = product FOR UPDATE;
    DELETE FROM shop.part t WHERE t.product_id = product;
    DELETE FROM shop.product p WHERE p.id = product;
  END $$;

  INSERT INTO shop.land SELECT 'l' || n, 'land ' || n FROM generate_series(1, 3) n;
  INSERT INTO shop.maker SELECT n, 'maker ' || n, '1900-01-01'::date + n, 'l' || (1 + n % 3) FROM generate_series(1, 40) n;
  INSERT INTO shop.product (id, title, tenant, maker_id)
    SELECT n, 'product ' || n, (ARRAY['a', 'b', 'Ö B'])[1 + n % 3], 1 + n % 40 FROM generate_series(1, 1500) n;
  INSERT INTO shop.part SELECT n % 2, n, 1 + n % 1500, 'part ' || n, 0 FROM generate_series(1, 3000) n;
  INSERT INTO shop.tag SELECT n, 'tag ' || n FROM generate_series(1, 12) n;
  INSERT INTO shop.product_tag SELECT 1 + n % 1500, 1 + n % 12 FROM generate_series(1, 2500) n ON CONFLICT DO NOTHING;
`

export const relatedConfig: Readonly<Record<'product' | 'routed', DocumentDefinition>> = {
  product: {
    table: 'shop.product',
    index: 'chaos-products-{tenant}',
    tenant: 'tenant',
    where: 'NOT hidden',
    fields: ['id', 'title', 'stamp'],
    relations: {
      maker: {
        one: 'shop.maker',
        on: { maker_id: 'id' },
        fields: ['id', 'name', 'founded'],
        relations: { land: { one: 'shop.land', on: { land_code: 'code' }, fields: ['name'] } },
      },
      parts: {
        many: 'shop.part',
        on: { id: 'product_id' },
        fields: ['half', 'id', 'label', 'stamp'],
        orderBy: ['half', 'id'],
      },
      tags: {
        many: 'shop.tag',
        through: { table: 'shop.product_tag', on: { id: 'product_id' }, to: { tag_id: 'id' } },
        orderBy: 'name',
        flatten: 'name',
      },
    },
  },
  routed: {
    table: 'shop.product',
    index: 'chaos-routed',
    routing: 'maker_id',
    fields: ['id', 'title', 'maker_id'],
    settings: { number_of_shards: 3 },
  },
}

/** Escaped by hand: lower-case letters and digits stay, other bytes are `_` and two hexadecimal digits. */
const tenantIndex = `'chaos-products-' || CASE WHEN tenant IS NULL THEN '_null' WHEN tenant = 'Ö B' THEN '_c3_96_20_42' ELSE tenant END`

const poison = `EXISTS (SELECT FROM shop.maker m WHERE m.id = p.maker_id AND m.founded = 'infinity')`
const productKey = 'jsonb_build_array(p.id::text, p.tenant)::text AS key'

export const relatedDocuments = [
  {
    name: 'product',
    index: 'chaos-products-*',
    truth: `
      SELECT ${tenantIndex} AS index, p.id::text AS id,
             json_build_object('id', p.id, 'title', p.title, 'stamp', p.stamp,
               'maker', CASE WHEN m.id IS NOT NULL THEN json_build_object('id', m.id, 'name', m.name, 'founded', m.founded,
                                  'land', CASE WHEN l.code IS NOT NULL THEN json_build_object('name', l.name) END) END,
               'parts', coalesce((SELECT json_agg(json_build_object('half', t.half, 'id', t.id, 'label', t.label, 'stamp', t.stamp)
                                                  ORDER BY t.half, t.id)
                                    FROM shop.part t WHERE t.product_id = p.id), '[]'),
               'tags', coalesce((SELECT json_agg(g.name ORDER BY g.name, g.id)
                                   FROM shop.product_tag pt JOIN shop.tag g ON g.id = pt.tag_id
                                  WHERE pt.product_id = p.id), '[]')) AS document
        FROM shop.product p LEFT JOIN shop.maker m ON m.id = p.maker_id LEFT JOIN shop.land l ON l.code = m.land_code
       WHERE NOT hidden AND NOT ${poison}`,
    poisoned: `SELECT ${productKey} FROM shop.product p WHERE NOT hidden AND ${poison}`,
    cure: `UPDATE shop.maker SET founded = NULL WHERE founded = 'infinity'`,
  },
  {
    name: 'routed',
    index: 'chaos-routed',
    truth: `
      SELECT 'chaos-routed' AS index, maker_id::text AS routing, id::text AS id,
             json_build_object('id', id, 'title', title, 'maker_id', maker_id) AS document
        FROM shop.product`,
    poisoned: `SELECT '' AS key WHERE false`,
    cure: 'SELECT',
  },
] as const
