-- 240 products, 600 reviews and what belongs to them: the same at every load, for the seed is fixed.
-- Rows are drawn one after the other (in a loop): within one statement, nothing says in which order they are computed.

INSERT INTO shop.brand (name)
SELECT unnest(ARRAY['Alpenglow', 'Birch & Sons', 'Casa Nova', 'Dagmar', 'Everlast', 'Fjord', 'Grandma’s']);

INSERT INTO shop.category (name, parent_id)
VALUES ('Kitchen', NULL), ('Garden', NULL), ('Travel', NULL),
       ('Kettles', 1), ('Knives', 1), ('Pans', 1), ('Spades', 2), ('Lanterns', 2), ('Backpacks', 3), ('Bottles', 3);

INSERT INTO shop.tag (name)
SELECT unnest(ARRAY['steel', 'copper', 'handmade', 'sale', 'new', 'gift', 'light', 'recycled']);

DO $$
DECLARE
  adjectives text[] := ARRAY['Small', 'Large', 'Classic', 'Silent', 'Folding', 'Heavy', 'Green', 'Blue', 'Old', 'Nordic'];
  things     text[] := ARRAY['kettle', 'knife', 'pan', 'spade', 'lantern', 'backpack', 'bottle'];
  praise     text[] := ARRAY['Does not last.', 'Could be better.', 'Does what it should.', 'Good.', 'Would buy it again!'];
  thing      integer;
  given      integer;
BEGIN
  PERFORM setseed(0.42);
  FOR n IN 1..240 LOOP
    thing := 1 + floor(random() * 7);
    INSERT INTO shop.product (id, name, description, price, cost, brand_id, category_id)
    VALUES (n, adjectives[1 + floor(random() * 10)::int] || ' ' || things[thing] || ' ' || n,
            'A ' || things[thing] || ' for every day.',
            round((5 + random() * 195)::numeric, 2), round((2 + random() * 60)::numeric, 2),
            1 + floor(random() * 7), 3 + thing);
    FOR tag IN 1..8 LOOP
      IF random() < 0.25 THEN
        INSERT INTO shop.product_tag VALUES (n, tag);
      END IF;
    END LOOP;
  END LOOP;
  FOR n IN 1..600 LOOP
    given := 1 + floor(random() * 5);
    INSERT INTO shop.review (id, product_id, stars, text, approved)
    VALUES (n, 1 + floor(random() * 240), given, praise[given], random() < 0.9);
  END LOOP;
  -- Every sixteenth is no longer sold.
  UPDATE shop.product SET deleted_at = '2026-01-31 12:00:00+00' WHERE id % 16 = 0;
  PERFORM setval(pg_get_serial_sequence('shop.product', 'id'), 240);
  PERFORM setval(pg_get_serial_sequence('shop.review', 'id'), 600);
END $$;

ANALYZE shop.brand, shop.category, shop.tag, shop.product, shop.product_tag, shop.review;
