import type { Random } from './random.ts'
import { hot, type Statement } from './tables.ts'

/** Statements on the tables of the products: related rows change, move to other documents, and documents move. */

const tenants = ['a', 'b', 'Ö B', null] as const
const MAKERS = 40
/** Ids of products that come into being. */
const BEYOND = 10_000

type Choice = readonly [weight: number, make: (random: Random, product: () => number) => Statement]

const word = (random: Random) => `t ${random.int(0, 1e6)}`
const maker = (random: Random) => (random.chance(0.1) ? null : random.int(1, MAKERS))
const part = (random: Random) => [random.int(0, 1), random.int(1, 3_000)]

const choices: readonly Choice[] = [
  [
    4,
    (random, product) => ({
      text: `INSERT INTO shop.product AS p (id, title, tenant, maker_id) VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE SET title = excluded.title, tenant = excluded.tenant, maker_id = excluded.maker_id`,
      values: [product(), word(random), random.pick(tenants), maker(random)],
    }),
  ],
  [
    4,
    (random, product) => ({
      text: 'UPDATE shop.product SET tenant = $2 WHERE id = $1',
      values: [product(), random.pick(tenants)],
    }),
  ],
  [
    4,
    (random, product) => ({
      text: 'UPDATE shop.product SET maker_id = $2 WHERE id = $1',
      values: [product(), maker(random)],
    }),
  ],
  [
    2,
    (random, product) => ({
      text: 'UPDATE shop.product SET hidden = $2 WHERE id = $1',
      values: [product(), random.chance(0.3)],
    }),
  ],
  [
    1,
    (_, product) => ({ text: "UPDATE shop.product SET notes = 'seen' WHERE id = $1", values: [product()] }),
  ],
  [2, (_, product) => ({ text: 'SELECT shop.drop_product($1)', values: [product()] })],
  [6, (random, product) => ({ text: 'SELECT shop.restamp($1, $2)', values: [product(), word(random)] })],
  [
    4,
    (random, product) => ({
      text: 'SELECT shop.add_part($1, $2, $3, $4)',
      values: [product(), ...part(random), word(random)],
    }),
  ],
  [
    4,
    (random, product) => ({
      text: 'SELECT shop.move_part($1, $2, $3)',
      values: [...part(random), product()],
    }),
  ],
  [
    3,
    (random) => ({
      text: 'UPDATE shop.part SET half = 1 - half, label = $3 WHERE half = $1 AND id = $2',
      values: [...part(random), word(random)],
    }),
  ],
  [
    2,
    (random) => ({
      text: `UPDATE ${random.pick(['shop.part_0', 'shop.part_1'])} SET label = $1 WHERE id = $2`,
      values: [word(random), random.int(1, 3_000)],
    }),
  ],
  [2, (random) => ({ text: 'DELETE FROM shop.part WHERE half = $1 AND id = $2', values: part(random) })],
  [
    1,
    (random) => ({
      text: `MERGE INTO shop.part t USING (SELECT generate_series($1::bigint, $1 + 20) AS id) s ON t.half = 0 AND t.id = s.id
             WHEN MATCHED AND t.id % 5 = 0 THEN DELETE
             WHEN MATCHED THEN UPDATE SET half = 1, id = -t.id`,
      values: [random.int(1, 3_000)],
    }),
  ],
  [
    3,
    (random) => ({
      text: 'UPDATE shop.maker SET name = $2, founded = $3, land_code = $4 WHERE id = $1',
      values: [
        random.int(1, MAKERS),
        word(random),
        random.chance(0.05) ? 'infinity' : '1999-12-31',
        random.chance(0.1) ? null : `l${random.int(1, 3)}`,
      ],
    }),
  ],
  [
    1,
    (random) => ({
      // What products point to gets another number: those that pointed to it lose it, others may find it.
      text: 'UPDATE shop.maker SET id = CASE WHEN id > 1000 THEN id - 1000 ELSE id + 1000 END WHERE id % 1000 = $1',
      values: [random.int(1, MAKERS)],
    }),
  ],
  [
    1,
    (random) => ({
      text: "UPDATE shop.maker SET notes = 'seen' WHERE id = $1",
      values: [random.int(1, MAKERS)],
    }),
  ],
  [
    0.3,
    (random) => ({
      text: 'UPDATE shop.land SET name = $2 WHERE code = $1',
      values: [`l${random.int(1, 3)}`, word(random)],
    }),
  ],
  [
    0.5,
    (random) => ({
      text: 'UPDATE shop.tag SET name = $2 WHERE id = $1',
      values: [random.int(1, 12), word(random)],
    }),
  ],
  [
    4,
    (random, product) => ({
      text: 'INSERT INTO shop.product_tag VALUES ($1, $2) ON CONFLICT DO NOTHING',
      values: [product(), random.int(1, 12)],
    }),
  ],
  [
    3,
    (_, product) => ({
      text: 'DELETE FROM shop.product_tag WHERE product_id = $1',
      values: [product()],
    }),
  ],
  [
    0.3,
    (random) => ({
      text: "UPDATE shop.product SET tenant = CASE tenant WHEN 'a' THEN 'b' ELSE 'a' END WHERE id BETWEEN $1 AND $1 + 150",
      values: [random.int(1, 1_500)],
    }),
  ],
]

const TOTAL = choices.reduce((sum, [weight]) => sum + weight, 0)

/** `moment`: milliseconds since the beginning, which says what ids several clients meet on. */
export function relatedStatement(random: Random, moment: number): Statement {
  const product = () => (random.chance(0.6) ? BEYOND + hot(random, moment) : random.int(1, 1_500))
  let dice = random.next() * TOTAL
  for (const [weight, make] of choices) {
    dice -= weight
    if (dice <= 0) return make(random, product)
  }
  return { text: 'SELECT shop.restamp(1, $1)', values: [word(random)] }
}
