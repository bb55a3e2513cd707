import type { Random } from './random.ts'

/** One statement of the application. */
export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

export type Row = Readonly<Record<string, unknown>>

/** A table as the application writes to it. */
export interface Table {
  readonly name: string
  readonly key: readonly string[]
  /**
   * Any key, or one of the few that are hot at this moment: transactions, batches and daemons meet on those, and then
   * leave them alone. What went wrong last must stay to be seen, and not be healed by the next change.
   */
  readonly keyOf: (random: Random, moment: number) => Row
  readonly valuesOf: (random: Random) => Row
  /** Keys that no other statement touches, two for each number: a row begins with the first and may move to the second. */
  readonly quietKeys: (n: number) => readonly [Row, Row]
  /** Values that make a document impossible. */
  readonly poison: Row
  /** A column that its document does not use. */
  readonly unused: string
  /** Statements over many rows, up to a few thousand. */
  readonly many: readonly [Maker, ...Maker[]]
}

type Maker = (random: Random) => Statement

const awkward = [
  'plain', 'with space', ' lead', '', 'quo"te', "apos'trophe", 'back\\slash', '\\n', 'per%cent', 'co:lon', 'a%3Ab', ':', '%',
  'line\nbreak', 'tab\t', '\u0001', '\u2028', 'über', 'e\u0301', '日本語', '😀', '\u202ertl', '["a", "b"]', 'null', '{}', '$1', 'ﬁ',
] as const // biome-ignore format: one list

const words = ['red', 'green', 'blue', 'small', 'large', 'old', 'new', 'bright'] as const
const regions = ['eu', 'us', 'ch', 'jp', 'a:b'] as const
const text = (random: Random) => `${random.pick(words)} ${random.pick(awkward)} ${random.int(0, 1e6)}`

/** Share of the statements that go to hot keys. */
const HOT = 0.7
/** Hot keys beyond this are none of the others. */
const COLD = 1_000_000
/** Quiet keys beyond this are hot never. */
const QUIET = 100_000_000
/** One of eight numbers; eight others after half a second. */
export const hot = (random: Random, moment: number) => 8 * Math.floor(moment / 500) + random.int(0, 7)
const rarely = <T>(random: Random, probability: number, value: T) =>
  random.chance(probability) ? value : null

export const item: Table = {
  name: 'shop.item',
  key: ['id'],
  keyOf: (random, moment) => ({
    id: random.chance(HOT) ? COLD + hot(random, moment) : random.int(1, 3_000),
  }),
  valuesOf: (random) => ({
    name: text(random),
    price: random.int(0, 100_000) / 100,
    // Elasticsearch refuses what does not fit a short.
    stock: random.chance(0.1) ? 40_000 : random.int(0, 100),
    active: random.chance(0.8),
    released: rarely(random, 0.05, 'infinity') ?? rarely(random, 0.5, '2024-02-29'),
    tags: rarely(random, 0.5, [random.pick(words), random.pick(awkward)]),
  }),
  quietKeys: (n) => [{ id: QUIET + 2 * n }, { id: QUIET + 2 * n + 1 }],
  poison: { stock: 40_000, active: true },
  unused: "notes = 'seen ' || clock_timestamp()",
  many: [
    (random) => ({
      text: `INSERT INTO shop.item (id, name, stock) SELECT n, $3, n % 500 FROM generate_series($1::bigint, $2::bigint) n
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, changed_at = clock_timestamp()`,
      values: [...span(random, 3_000), text(random)],
    }),
    (random) => ({
      text: 'UPDATE shop.item SET price = coalesce(price, 0) + 1 WHERE id % $1 = 0 AND id <= 6000',
      values: [random.int(1, 40)],
    }),
    (random) => ({
      text: 'UPDATE shop.item SET active = NOT active WHERE id BETWEEN $1 AND $2',
      values: span(random, 1_000),
    }),
    (random) => ({
      text: 'UPDATE shop.item SET id = -id WHERE id BETWEEN $1 AND $2',
      values: span(random, 300),
    }),
    (random) => ({
      text: "UPDATE shop.item SET notes = 'seen' WHERE id BETWEEN $1 AND $2",
      values: span(random, 3_000),
    }),
    (random) => ({ text: 'DELETE FROM shop.item WHERE id BETWEEN $1 AND $2', values: span(random, 500) }),
    () => ({ text: 'DELETE FROM shop.item WHERE id < 0', values: [] }),
  ],
}

export const label: Table = {
  name: 'shop.label',
  key: ['namespace', 'code'],
  keyOf: (random, moment) => {
    if (random.chance(HOT)) {
      const n = hot(random, moment)
      // Over 512 bytes, now and then: no document can have that id.
      return { namespace: awkward[n % awkward.length], code: n % 30 === 0 ? 'x'.repeat(600 + n) : `hot ${n}` }
    }
    return random.chance(0.5)
      ? { namespace: random.pick(awkward), code: random.pick(awkward) }
      : { namespace: 'plain', code: `old ${random.int(1, 1_000)}` }
  },
  valuesOf: (random) => ({
    title: text(random),
    weight: rarely(random, 0.1, 'NaN') ?? random.int(-50, 50) / 8,
    attributes: rarely(random, 0.5, { [text(random)]: [1e20, null, { deep: text(random) }] }),
    hidden_by: rarely(random, 0.2, 'moderator'),
  }),
  quietKeys: (n) => [
    { namespace: 'quiet', code: `${n}` },
    { namespace: 'quiet', code: `${n}:moved` },
  ],
  poison: { weight: 'NaN', hidden_by: null },
  unused: 'internal = t.internal + 1',
  many: [
    (random) => ({
      text: `INSERT INTO shop.label (namespace, code, title) SELECT $3, 'old ' || n, $4 FROM generate_series($1::integer, $2::integer) n
             ON CONFLICT (namespace, code) DO UPDATE SET title = excluded.title`,
      values: [...span(random, 1_500), random.pick(awkward), text(random)],
    }),
    (random) => ({
      text: 'UPDATE shop.label SET title = $2 WHERE namespace = $1',
      values: [random.pick(awkward), text(random)],
    }),
    (random) => ({
      text: "UPDATE shop.label SET hidden_by = CASE WHEN hidden_by IS NULL THEN 'all' END WHERE namespace = $1",
      values: [random.pick(awkward)],
    }),
    (random) => ({
      text: 'UPDATE shop.label SET namespace = $2 WHERE namespace = $1 AND length(code) % 2 = 0',
      values: [random.pick(awkward), random.pick(awkward)],
    }),
    (random) => ({
      text: 'UPDATE shop.label SET code = reverse(code) WHERE namespace = $1',
      values: [random.pick(awkward)],
    }),
    (random) => ({ text: 'DELETE FROM shop.label WHERE namespace = $1', values: [random.pick(awkward)] }),
  ],
}

export const event: Table = {
  name: 'shop.event',
  key: ['region', 'id'],
  keyOf: (random, moment) => ({
    // Hot rows move between two partitions.
    ...(random.chance(HOT)
      ? { region: random.pick(['eu', 'ch']), id: COLD + hot(random, moment) }
      : { region: random.pick(regions), id: random.int(1, 1_000) }),
  }),
  valuesOf: (random) => ({
    kind: random.chance(0.2) ? 'draft' : random.pick(words),
    payload: text(random),
    at: rarely(random, 0.1, 'infinity') ?? '2024-10-27T00:30:00.123+05:45',
  }),
  // Two leaves: a move is a DELETE in one and an INSERT in the other.
  quietKeys: (n) => [
    { region: 'quiet', id: n },
    { region: 'silent', id: n },
  ],
  poison: { at: 'infinity', kind: 'open' },
  unused: 'noise = t.noise + 1',
  many: [
    (random) => ({
      text: `INSERT INTO shop.event (region, id, kind, payload) SELECT $3, n, 'open', $4 FROM generate_series($1::bigint, $2::bigint) n
             ON CONFLICT (region, id) DO UPDATE SET payload = excluded.payload`,
      values: [...span(random, 1_000), random.pick(regions), text(random)],
    }),
    (random) => ({
      text: 'UPDATE shop.event SET region = $2 WHERE region = $1 AND id % $3 = 0',
      values: [random.pick(regions), random.pick(regions), random.int(2, 20)],
    }),
    (random) => ({
      text: `MERGE INTO shop.event e USING (SELECT generate_series($1::bigint, $2::bigint) AS id) s ON e.region = 'ch' AND e.id = s.id
             WHEN MATCHED AND e.id % 5 = 0 THEN DELETE
             WHEN MATCHED THEN UPDATE SET region = 'eu', id = -e.id
             WHEN NOT MATCHED THEN INSERT (region, id, kind) VALUES ('ch', s.id, 'merged')`,
      values: span(random, 100),
    }),
    (random) => ({
      text: `UPDATE shop.event SET kind = CASE kind WHEN 'draft' THEN 'open' ELSE 'draft' END WHERE id BETWEEN $1 AND $2`,
      values: span(random, 100),
    }),
    (random) => ({
      text: `UPDATE ${random.pick(['shop.event_eu', 'shop.event_rest', 'shop.event_rest_1'])} SET payload = $2 WHERE id % $1 = 0`,
      values: [random.int(2, 20), text(random)],
    }),
    (random) => ({
      text: `DELETE FROM ${random.pick(['shop.event', 'shop.event_us', 'shop.event_rest_0'])} WHERE id BETWEEN $1 AND $2`,
      values: span(random, 200),
    }),
    () => ({ text: 'DELETE FROM shop.event WHERE id < 0', values: [] }),
  ],
}

function span(random: Random, longest: number): [number, number] {
  const first = random.int(1, longest)
  return [first, first + random.int(0, longest)]
}
