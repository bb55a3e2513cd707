import { pathText, property } from './issues.ts'
import { type Problem, show } from './problems.ts'

/** Where something stands in the configuration. */
type Path = readonly string[]

/** Keys of a document, and of its relations at any depth, that exclude or need each other. */
export function documentProblems(name: string, document: unknown): readonly Problem[] {
  const at = ['documents', name]
  const has = (key: string) => property(document, key) !== undefined
  const index = property(document, 'index')
  const problems: Problem[] = []
  const report = (key: string, what: string, remedy: string) =>
    problems.push({ where: pathText([...at, key]), what, remedy })

  if (has('sql')) {
    for (const key of ['fields', 'omit', 'relations', 'where'].filter(has)) {
      report(key, 'given together with "sql", which says it all', `Say it in "sql", and remove "${key}".`)
    }
    if (!has('id'))
      report('id', 'is missing, and "sql" needs it', 'Name the columns of "table" that are the id.')
    if (!has('dependsOn')) {
      report(
        'dependsOn',
        'is missing, and "sql" needs it',
        'Name each table that the query reads, and its column that holds the id.',
      )
    }
  } else if (has('dependsOn')) {
    report(
      'dependsOn',
      'given without "sql"',
      'What "relations" read is watched as it is: remove "dependsOn".',
    )
  }
  if (typeof index === 'string' && index.includes('{tenant}') && !has('tenant')) {
    report(
      'index',
      `got ${show(index)}, and there is no "tenant"`,
      'Name the column that {tenant} stands for.',
    )
  }
  return [...problems, ...rowProblems(at, document)]
}

/** Of a row of the document: of its root table, or of a related one. */
function rowProblems(at: Path, row: unknown): Problem[] {
  const names = fieldNames(row)
  const taken = new Set(names?.map((name) => name.split('.')[0]))
  const both = names !== null && property(row, 'omit') !== undefined
  return [
    ...(both
      ? [
          {
            where: pathText([...at, 'omit']),
            what: 'given together with "fields", expected one of the two',
            remedy: 'List the columns to take in "fields", or those to leave out in "omit".',
          },
        ]
      : []),
    ...entries(property(row, 'relations')).flatMap(([name, relation]) => {
      const path = [...at, 'relations', name]
      const collision = {
        where: pathText(path),
        what: `got ${show(name)}, which is a field too`,
        remedy: 'Rename one of the two.',
      }
      return [...(taken.has(name) ? [collision] : []), ...relationProblems(path, relation)]
    }),
  ]
}

function relationProblems(at: Path, relation: unknown): Problem[] {
  if (typeof relation !== 'object' || relation === null) return []
  const has = (key: string) => property(relation, key) !== undefined
  const problems: Problem[] = []
  const report = (key: string | null, what: string, remedy: string) =>
    problems.push({ where: pathText(key === null ? at : [...at, key]), what, remedy })

  if (!has('one') && !has('many')) {
    report(null, 'names no table', 'Write { one: "table" } for one object, { many: "table" } for an array.')
  }
  if (has('one') && has('many')) {
    report(
      'many',
      'given together with "one", expected one of the two',
      'Keep "one" for one object, "many" for an array.',
    )
  } else if (has('one')) {
    for (const key of ['through', 'orderBy', 'limit', 'nested'].filter(has)) {
      report(key, 'given together with "one", expected with "many" only', `Remove "${key}", or take "many".`)
    }
  }
  if (has('limit') && !has('orderBy')) {
    report(
      'limit',
      'given without "orderBy", which says what the first ones are',
      'Name a column in "orderBy".',
    )
  }
  if (has('on') && property(property(relation, 'through'), 'on') !== undefined) {
    report('on', 'given together with "through.on", which means the same', 'Remove one of the two.')
  }
  return [...problems, ...flattenProblems(at, relation), ...rowProblems(at, relation)]
}

function flattenProblems(at: Path, relation: object): Problem[] {
  const flatten = property(relation, 'flatten')
  if (flatten === undefined) return []
  const names = fieldNames(relation)
  const problems = ['nested', 'relations']
    .filter((key) => property(relation, key) !== undefined)
    .map((key) => ({
      where: pathText([...at, key]),
      what: 'given together with "flatten", which takes one value of each row',
      remedy: `Remove "${key}" or "flatten".`,
    }))
  if (names === null || names.includes(String(flatten))) return problems
  return [
    ...problems,
    {
      where: pathText([...at, 'flatten']),
      what: `got ${show(flatten)}, expected one of its fields: ${names.join(', ')}`,
      remedy: 'Name the field to take of each row.',
    },
  ]
}

/** Names of the stated fields; null where there are none. */
function fieldNames(row: unknown): readonly string[] | null {
  const fields = property(row, 'fields')
  if (fields === undefined) return null
  return Array.isArray(fields) ? fields.map(String) : entries(fields).map(([name]) => name)
}

export function entries(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}
