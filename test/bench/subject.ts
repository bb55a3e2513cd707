import type { DocumentDefinition } from '../../src/config/types.ts'
import { article, articleTable, fillTable } from './rows.ts'
import type { World } from './world.ts'

/** What a throughput cell works on: a document, and the tables it is made of. */
export interface Subject {
  /** Name of the document; its keys are the numbers from 1 on. */
  readonly document: string
  readonly definition: DocumentDefinition
  /** Creates its tables with that many documents' rows. */
  readonly fill: (world: Pick<World, 'pool' | 'postgresUrl'>, rows: number) => Promise<void>
}

/** One table, 800 bytes. */
export const flat: Subject = {
  document: 'article',
  definition: article,
  fill: async ({ pool, postgresUrl }, rows) => {
    await pool.query(articleTable('article'))
    await fillTable(postgresUrl, { count: rows })
  },
}

/** A root, its author, and three replies: about 900 bytes of three tables. */
export const nested: Subject = {
  document: 'story',
  definition: {
    table: 'story',
    index: 'bench-story',
    fields: ['id', 'seq', 'title', 'city', 'price', 'stock', 'active', 'published_at', 'body'],
    relations: {
      author: { one: 'author', fields: ['id', 'name', 'city', 'country'] },
      replies: { many: 'reply', fields: ['id', 'place', 'likes', 'at', 'text'], orderBy: 'id', nested: true },
    },
  },
  fill: fillStories,
}

/** Rows of the parent, so that one is shared by a hundred roots at most figures. */
const AUTHORS = 1_000
const REPLIES_EACH = 3

async function fillStories(
  { pool, postgresUrl }: Pick<World, 'pool' | 'postgresUrl'>,
  rows: number,
): Promise<void> {
  await pool.query(articleTable('story'))
  await fillTable(postgresUrl, { table: 'story', count: rows, bytes: 560 })
  await pool.query(`
    CREATE TABLE author (id integer PRIMARY KEY, name text NOT NULL, city text NOT NULL, country text NOT NULL);
    INSERT INTO author SELECT id, title, city, country FROM story WHERE id <= ${AUTHORS};
    ALTER TABLE story ADD author_id integer REFERENCES author;
    UPDATE story SET author_id = 1 + id % (SELECT count(*) FROM author);
    CREATE INDEX ON story (author_id);
    CREATE TABLE reply (id bigint PRIMARY KEY, story_id bigint NOT NULL REFERENCES story, place text NOT NULL,
                        likes integer NOT NULL, at timestamptz NOT NULL, text text NOT NULL, note text);
    INSERT INTO reply SELECT s.id * ${REPLIES_EACH} + n, s.id, s.city, s.stock * n, s.published_at + n * interval '1 h',
                             substr(s.body, 40 * n, 60)
                        FROM story s CROSS JOIN generate_series(0, ${REPLIES_EACH - 1}) AS n;
    CREATE INDEX ON reply (story_id)`)
  for (const table of ['author', 'story', 'reply']) await pool.query(`VACUUM (FULL, ANALYZE) ${table}`)
}
