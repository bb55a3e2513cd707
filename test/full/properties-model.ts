import fc from 'fast-check'
import type pg from 'pg'

/** What Elasticsearch should hold in the end, as a plain Map of what was committed: it owes Postgres and sluice nothing. */
export class Model {
  readonly parents = new Map<number, string>()
  readonly children = new Map<number, { readonly name: string; readonly parent: number | null }>()

  /** Documents by id. */
  documents(): ReadonlyMap<string, unknown> {
    return new Map(
      [...this.children].map(([id, { name, parent }]) => {
        const of = parent === null ? undefined : this.parents.get(parent)
        return [String(id), { id, name, parent: of === undefined ? null : { name: of } }]
      }),
    )
  }

  copy(): Model {
    const copy = new Model()
    this.restore.call(copy, this)
    return copy
  }

  restore(from: Model): void {
    for (const name of ['parents', 'children'] as const) this[name].clear()
    for (const [id, name] of from.parents) this.parents.set(id, name)
    for (const [id, child] of from.children) this.children.set(id, child)
  }
}

/** Tables of the model: a child shows its parent's name, and may have none. */
export const tables = `
  CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL);
  CREATE TABLE child (id int PRIMARY KEY, name text NOT NULL, parent_id int REFERENCES parent ON DELETE SET NULL);
  CREATE INDEX ON child (parent_id)`

/** What is changed: the model's state and the statement that does the same. */
export interface Change {
  readonly apply: (model: Model) => void
  readonly sql: string
}

/** Few ids, so that keys come again; few enough parents that children share them. */
const childId = fc.integer({ min: 1, max: 12 })
const parentId = fc.integer({ min: 1, max: 4 })
const name = fc.string({ unit: fc.constantFrom(...'abcdeé\'"\\𝄞 '), maxLength: 6 })

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

const upsert = fc.tuple(childId, name, fc.option(parentId)).map(
  ([id, text, wanted]): Change => ({
    // A parent that is not there counts as none, in both.
    sql: `INSERT INTO child VALUES (${id}, ${quoted(text)}, (SELECT id FROM parent WHERE id = ${wanted ?? 'NULL'}))
          ON CONFLICT (id) DO UPDATE SET name = excluded.name, parent_id = excluded.parent_id`,
    apply: ({ children, parents }) =>
      children.set(id, { name: text, parent: wanted !== null && parents.has(wanted) ? wanted : null }),
  }),
)

const rename = fc.tuple(childId, name).map(
  ([id, text]): Change => ({
    sql: `UPDATE child SET name = ${quoted(text)} WHERE id = ${id}`,
    apply: ({ children }) => {
      const child = children.get(id)
      if (child !== undefined) children.set(id, { ...child, name: text })
    },
  }),
)

const changeKey = fc.tuple(childId, childId).map(
  ([from, to]): Change => ({
    sql: `UPDATE child SET id = ${to} WHERE id = ${from} AND NOT EXISTS (SELECT FROM child WHERE id = ${to})`,
    apply: ({ children }) => {
      const child = children.get(from)
      if (child === undefined || children.has(to)) return
      children.delete(from)
      children.set(to, child)
    },
  }),
)

const remove = childId.map(
  (id): Change => ({
    sql: `DELETE FROM child WHERE id = ${id}`,
    apply: ({ children }) => children.delete(id),
  }),
)

const removeMany = childId.map(
  (above): Change => ({
    sql: `DELETE FROM child WHERE id > ${above}`,
    apply: ({ children }) => {
      for (const id of [...children.keys()]) if (id > above) children.delete(id)
    },
  }),
)

const nameParent = fc.tuple(parentId, name).map(
  ([id, text]): Change => ({
    sql: `INSERT INTO parent VALUES (${id}, ${quoted(text)}) ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
    apply: ({ parents }) => parents.set(id, text),
  }),
)

const removeParent = parentId.map(
  (id): Change => ({
    sql: `DELETE FROM parent WHERE id = ${id}`,
    apply: ({ parents, children }) => {
      parents.delete(id)
      for (const [child, { name: own, parent }] of children) {
        if (parent === id) children.set(child, { name: own, parent: null })
      }
    },
  }),
)

const reparent = fc.tuple(parentId, parentId).map(
  ([from, to]): Change => ({
    sql: `UPDATE child SET parent_id = ${to} WHERE parent_id = ${from} AND EXISTS (SELECT FROM parent WHERE id = ${to})`,
    apply: ({ parents, children }) => {
      if (!parents.has(to)) return
      for (const [id, child] of children)
        if (child.parent === from) children.set(id, { ...child, parent: to })
    },
  }),
)

const swapNames = fc.tuple(childId, childId).map(
  ([one, other]): Change => ({
    sql: `UPDATE child c SET name = o.name FROM child o
           WHERE (c.id, o.id) IN ((${one}, ${other}), (${other}, ${one}))`,
    apply: ({ children }) => {
      const [a, b] = [children.get(one), children.get(other)]
      if (a === undefined || b === undefined) return
      children.set(one, { ...a, name: b.name })
      children.set(other, { ...b, name: a.name })
    },
  }),
)

/** Apart from the others: each is answered by a verify, which would hide what they lose. */
export const truncate: Change = {
  sql: 'TRUNCATE child',
  apply: ({ children }) => children.clear(),
}

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: upsert },
  { weight: 3, arbitrary: rename },
  { weight: 2, arbitrary: changeKey },
  { weight: 2, arbitrary: remove },
  { weight: 1, arbitrary: removeMany },
  { weight: 3, arbitrary: nameParent },
  { weight: 1, arbitrary: removeParent },
  { weight: 2, arbitrary: reparent },
  { weight: 1, arbitrary: swapNames },
)

/** Changes of one transaction: before, within and after a savepoint, which is kept or rolled back; then all or none. */
export interface Transaction {
  readonly before: readonly Change[]
  readonly within: readonly Change[]
  readonly after: readonly Change[]
  readonly keep: boolean
  readonly commit: boolean
}

const some = fc.array(change, { maxLength: 3 })

export const transaction: fc.Arbitrary<Transaction> = fc.record({
  before: some,
  within: some,
  after: some,
  keep: fc.boolean(),
  commit: fc.boolean(),
})

export async function carryOut(pool: pg.Pool, model: Model, transaction: Transaction): Promise<void> {
  const { before, within, after, keep, commit } = transaction
  const result = model.copy()
  const client = await pool.connect()
  try {
    const all = async (changes: readonly Change[]) => {
      for (const { sql } of changes) await client.query(sql)
    }
    await client.query('BEGIN')
    await all(before)
    for (const { apply } of before) apply(result)
    await client.query('SAVEPOINT here')
    await all(within)
    if (keep) for (const { apply } of within) apply(result)
    await client.query(keep ? 'RELEASE SAVEPOINT here' : 'ROLLBACK TO SAVEPOINT here')
    await all(after)
    for (const { apply } of after) apply(result)
    await client.query(commit ? 'COMMIT' : 'ROLLBACK')
  } finally {
    client.release()
  }
  if (commit) model.restore(result)
}
