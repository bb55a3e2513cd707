import { z } from 'zod'
import { problemsOf } from '../../config/issues.ts'
import { type Problem, show } from '../../config/problems.ts'

/**
 * A PGSync schema file: a list of documents, each with a tree of nodes. Keys that are not here are taken in, so that the
 * translation can name them; values of those that are here must be what PGSync itself would take.
 */

const name = (what: string) => z.string({ error: what }).refine((text) => text.trim() !== '')
const names = (what: string) => z.array(name(`${what}: each a text`), { error: what })
const jsonObject = z.record(z.string(), z.unknown(), { error: 'an object, as Elasticsearch has it' })

/** PGSync compares without case in some releases. */
const oneOf = (...values: readonly string[]) => {
  const error = `one of ${values.map((value) => `"${value}"`).join(', ')}`
  return z
    .string({ error })
    .transform((text) => text.toLowerCase())
    .refine((text) => values.includes(text), { error })
}

/** Some files have one column as a text. */
const keyColumns = z
  .union([name('a column').transform((column) => [column]), names('a list of columns').min(1)], {
    error: 'a list of columns',
  })
  .readonly()

const foreignKey = z.strictObject(
  { child: keyColumns, parent: keyColumns },
  { error: 'an object: { "child": […], "parent": […] }' },
)

const relationship = z.looseObject(
  {
    type: oneOf('one_to_one', 'one_to_many'),
    variant: oneOf('object', 'scalar'),
    through_tables: names('a list of at most one table')
      .max(1, { error: 'a list of at most one table' })
      .nullish(),
    foreign_key: foreignKey.nullish(),
  },
  { error: 'an object: { "type": …, "variant": … }' },
)

const transform = z.looseObject(
  {
    rename: z.record(z.string(), z.unknown(), { error: 'an object of column → new name' }).nullish(),
    mapping: z.record(z.string(), jsonObject, { error: 'an object of field → { "type": … }' }).nullish(),
  },
  { error: 'an object: { "rename": …, "mapping": … }' },
)

const rowShape = {
  table: name('the name of a table'),
  schema: name('the name of a schema').nullish(),
  label: name('the name of a field').nullish(),
  columns: names('a list of columns').nullish(),
  primary_key: names('a list of columns').nullish(),
  base_tables: names('a list of tables').nullish(),
  transform: transform.nullish(),
}

const children = z.lazy(() => z.array(childSchema, { error: 'a list of nodes' })).nullish()

const childSchema: z.ZodType<PgsyncChild> = z.looseObject(
  { ...rowShape, relationship, children },
  { error: 'a node: { "table": …, "relationship": … }' },
)

const rootSchema = z.looseObject({ ...rowShape, children }, { error: 'a node: { "table": … }' })

const documentSchema = z.looseObject(
  {
    database: name('the name of a database').nullish(),
    index: name('the name of an index').nullish(),
    // A list of one in older releases.
    nodes: z.union(
      [
        rootSchema.transform((node) => [node]),
        z.array(rootSchema).min(1, { error: 'a node: { "table": … }' }),
      ],
      {
        error: 'a node: { "table": … }',
      },
    ),
    setting: jsonObject.nullish(),
    mapping: jsonObject.nullish(),
    pipeline: name('the name of a pipeline').nullish(),
    routing: name('a column').nullish(),
    plugins: names('a list of plugins').nullish(),
  },
  { error: 'a document: { "database": …, "nodes": … }' },
)

const fileSchema = z.array(documentSchema, { error: 'a list of documents' }).min(1, {
  error: 'a list of documents: at least one',
})

export type PgsyncDocument = z.infer<typeof documentSchema>
export type PgsyncRow = z.infer<z.ZodObject<typeof rowShape, z.core.$loose>>
export type PgsyncRelationship = z.infer<typeof relationship>
export interface PgsyncChild extends PgsyncRow {
  readonly relationship: PgsyncRelationship
  readonly children?: readonly PgsyncChild[] | null | undefined
}

export type ParsedFile =
  | { readonly documents: readonly PgsyncDocument[]; readonly problems: readonly [] }
  | { readonly documents: null; readonly problems: readonly [Problem, ...Problem[]] }

/** All that is wrong with a file, in one go: PGSync would refuse it, too. */
export function parsePgsync(value: unknown): ParsedFile {
  const parsed = fileSchema.safeParse(value)
  if (parsed.success) return { documents: parsed.data, problems: [] }
  const [first, ...rest] = parsed.error.issues.flatMap((issue) => problemsOf(issue, value)).map(named)
  return {
    documents: null,
    problems: [first ?? { where: 'the schema file', what: show(value) }, ...rest],
  }
}

/** The issues are worded for our own configuration, whose top has another name. */
function named(problem: Problem): Problem {
  const { where, what } = problem
  // An unknown key of ours is no matter here, and its remedy would name keys of another file.
  return { where: where === 'the configuration' ? 'the schema file' : where, what }
}

const known = {
  document: Object.keys(documentSchema.shape),
  root: Object.keys(rootSchema.shape),
  child: [...Object.keys(rootSchema.shape), 'relationship'],
  relationship: Object.keys(relationship.shape),
  transform: Object.keys(transform.shape),
}

/** Keys that are in the file, and that nothing here reads. */
export function unknownKeys(kind: keyof typeof known, value: object): readonly string[] {
  return Object.keys(value).filter((key) => !known[kind].includes(key))
}
