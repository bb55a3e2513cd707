-- A film rental, in the style of Pagila: many-to-many, an enum, a tsvector, arrays, views, partitions, triggers.
CREATE TYPE mpaa_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17');
CREATE DOMAIN release_year AS int CHECK (VALUE BETWEEN 1901 AND 2155);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.last_update := now();
  RETURN NEW;
END $$;

CREATE TABLE language (
  language_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name character(20) NOT NULL,
  last_update timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE film (
  film_id serial PRIMARY KEY,
  title text NOT NULL,
  description text,
  release_year release_year,
  language_id int NOT NULL REFERENCES language,
  original_language_id int REFERENCES language,
  rental_rate numeric(4, 2) NOT NULL DEFAULT 4.99,
  rating mpaa_rating DEFAULT 'G',
  special_features text[],
  fulltext tsvector NOT NULL,
  rental_span interval,
  last_update timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER film_fulltext BEFORE INSERT OR UPDATE ON film
  FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(fulltext, 'pg_catalog.english', title, description);
CREATE TRIGGER last_updated BEFORE UPDATE ON film FOR EACH ROW EXECUTE FUNCTION touch();
CREATE INDEX film_fulltext_idx ON film USING gist (fulltext);

CREATE TABLE actor (
  actor_id serial PRIMARY KEY,
  first_name text NOT NULL,
  last_name text NOT NULL,
  full_name text GENERATED ALWAYS AS (first_name || ' ' || last_name) STORED
);
CREATE TABLE film_actor (
  actor_id int REFERENCES actor ON DELETE CASCADE,
  film_id int REFERENCES film ON DELETE CASCADE,
  PRIMARY KEY (actor_id, film_id)
);
CREATE TABLE staff (
  staff_id serial PRIMARY KEY,
  email text,
  active boolean NOT NULL DEFAULT true,
  password text,
  picture bytea
);
CREATE TABLE rental (
  rental_id serial PRIMARY KEY,
  film_id int NOT NULL REFERENCES film ON DELETE CASCADE,
  staff_id int REFERENCES staff,
  rental_period tstzrange NOT NULL
);
CREATE TABLE payment (
  payment_id bigserial,
  rental_id int NOT NULL,
  amount numeric(5, 2) NOT NULL,
  payment_date timestamptz NOT NULL,
  PRIMARY KEY (payment_date, payment_id)
) PARTITION BY RANGE (payment_date);
CREATE TABLE payment_p2026_01 PARTITION OF payment FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE payment_p2026_02 PARTITION OF payment FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE payment_default PARTITION OF payment DEFAULT;

CREATE VIEW film_list AS
  SELECT film.film_id, film.title, string_agg(actor.full_name, ', ') AS actors
  FROM film LEFT JOIN film_actor USING (film_id) LEFT JOIN actor USING (actor_id) GROUP BY film.film_id;
CREATE MATERIALIZED VIEW rental_by_film AS SELECT film_id, count(*) AS rentals FROM rental GROUP BY film_id;

INSERT INTO language (name) VALUES ('English'), ('Italian');
INSERT INTO film (title, description, release_year, language_id, rating, special_features, rental_span) VALUES
  ('The Late Tram', 'A driver misses the last stop', 1999, 1, 'PG-13', '{Trailers,"Deleted Scenes"}', '3 days'),
  ('Il faro', NULL, NULL, 2, NULL, NULL, NULL),
  ('Nine Rooms', 'A ''quoted'' house', 2026, 1, 'NC-17', '{}', '1 mon -2 days');
INSERT INTO actor (first_name, last_name) VALUES ('Ada', 'Quill'), ('Bo', 'Ortega'), ('Cy', 'Ødegård');
INSERT INTO film_actor VALUES (1, 1), (1, 2), (2, 1), (3, 3);
INSERT INTO staff (email, password, picture) VALUES ('jo@rental.test', 'hunter2', '\x89504e47'), (NULL, NULL, NULL);
INSERT INTO rental (film_id, staff_id, rental_period) VALUES
  (1, 1, '[2026-01-05 10:00+00,2026-01-08 10:00+00)'), (1, NULL, '[2026-02-01 00:00+00,)'), (3, 2, 'empty');
INSERT INTO payment (rental_id, amount, payment_date) VALUES
  (1, 4.99, '2026-01-05 10:00+00'), (2, 4.99, '2026-02-01 00:00+00'), (3, 0, '2027-12-31 23:59:59.999999+00');
