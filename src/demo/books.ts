import type { DocumentDefinition } from '../config/types.ts'
import type { Queryable } from '../postgres/types.ts'
import { TABLES } from './place.ts'

/** The tables of the demo, their rows, and the document that is made of both. */

export const DOCUMENT = 'book'
export const AUTHORS = 120
export const BOOKS = 3_000

/** As the configuration would have it. */
export function bookDefinition(index: string): DocumentDefinition {
  return {
    table: `${TABLES}.book`,
    index,
    fields: ['id', 'title', 'tagline', 'price', 'published_on'],
    relations: { author: { one: `${TABLES}.author`, fields: ['name', 'country'] } },
    // For exact filters; and too strict for one book, later on (dead-letter.ts).
    mappings: { properties: { tagline: { type: 'keyword' } } },
  }
}

const given = 'Ada Bruno Clara Dmitri Elif Farid Greta Hiro Ines Jonas Keiko Luca'.split(' ')
const family = 'Novak Okafor Lindqvist Moreau Tanaka Silva Haddad Keller Byrne Rossi'.split(' ')
const countries = ['Austria', 'Brazil', 'Ireland', 'Italy', 'Japan', 'Lebanon', 'Nigeria', 'Sweden']
const adjectives =
  'Silent Hidden Burning Last Broken Golden Distant Borrowed Restless Winter Crooked Salt Paper Second Blue'.split(
    ' ',
  )
const nouns =
  'Harbour Garden Letter Orchard Clockmaker River Mirror Station Cartographer Lighthouse Bridge Library Island Violin Market Tower Daughter Ferry Archive Window'.split(
    ' ',
  )
const places = 'Lisbon Trieste Kyoto Aleppo Galway Lagos Uppsala Vienna Recife Palermo'.split(' ')
const kinds = ['A novel', 'Stories', 'A memoir', 'Essays', 'A mystery', 'Poems', 'A history']

/** Titles are 15 × 20 × 10, one for each book; each author has as many books as the others. */
export async function makeBooks(db: Queryable): Promise<void> {
  await db.query(`
    CREATE TABLE ${TABLES}.author (id int PRIMARY KEY, name text NOT NULL, country text NOT NULL);
    CREATE TABLE ${TABLES}.book (
      id int PRIMARY KEY,
      title text NOT NULL,
      tagline text,
      price numeric(8, 2) NOT NULL,
      published_on date,
      author_id int NOT NULL REFERENCES ${TABLES}.author
    );
    CREATE INDEX ON ${TABLES}.book (author_id)`)
  await db.query(
    `INSERT INTO ${TABLES}.author
     SELECT n + 1, ($1::text[])[1 + n % 12] || ' ' || ($2::text[])[1 + n / 12], ($3::text[])[1 + n % 8]
       FROM generate_series(0, ${AUTHORS - 1}) n`,
    [given, family, countries],
  )
  await db.query(
    `INSERT INTO ${TABLES}.book
     SELECT n + 1,
            format('The %s %s of %s', ($1::text[])[1 + n % 15], ($2::text[])[1 + n / 15 % 20], ($3::text[])[1 + n / 300]),
            format('%s in %s chapters', ($4::text[])[1 + n * 3 % 7], 6 + n * 11 % 40),
            5 + (n * 37 % 4000) / 100.0,
            date '1960-01-01' + n * 7 % 23000,
            1 + n % ${AUTHORS}
       FROM generate_series(0, ${BOOKS - 1}) n`,
    [adjectives, nouns, places, kinds],
  )
}
