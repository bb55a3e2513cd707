import { duration, paint } from './format.ts'
import type { Inspection } from './inspection.ts'
import { table } from './table.ts'

/** An inspection for people: the row, the document it makes and its copies side by side, then what is on record. */
export function inspectionText(inspection: Inspection): string {
  const { document, id, problem, marks, failures, copies, differs, why } = inspection
  return [
    paint('bold', `${document} ${id}`),
    '',
    sideBySide(inspection),
    ...(problem === null ? [] : [`no document: ${problem}`]),
    '',
    ...copies.map(
      ({ index, role, state, version, note }) =>
        `${index} (${role}): ${state === 'same' ? state : paint('yellow', state)}${version === null ? '' : `, version ${version}`}${note === null ? '' : `; ${note}`}`,
    ),
    ...(copies.length === 0 ? ['no index'] : []),
    ...(marks.length === 0 ? ['no mark waits'] : marks.map(markText)),
    ...(failures.length === 0
      ? ['no failure on record']
      : failures.map(
          ({ state, attempts, type, reason, lastFailedAt }) =>
            `failure: ${state}, ${attempts} attempts, last ${lastFailedAt}: ${type}: ${reason}`,
        )),
    '',
    differs
      ? [paint('yellow', 'They differ:'), ...why.map((reason) => `  ${reason}`)].join('\n')
      : paint('green', 'They agree.'),
  ].join('\n')
}

function markText({ op, lane, everything, ageMs }: Inspection['marks'][number]): string {
  return `mark: ${op}${everything ? ' of everything' : ''}, lane ${lane}, ${duration(ageMs)} old`
}

/** Field by field: columns of the row that are fields stand beside them. */
function sideBySide({ row, expected, copies }: Inspection): string {
  const sides = [fieldsOf(row), fieldsOf(expected), ...copies.map(({ source }) => fieldsOf(source))]
  const names = [...new Set(sides.flatMap((fields) => Object.keys(fields)))]
  const wrong = new Set(copies.flatMap((copy) => copy.differences.map(({ path }) => path.split('.')[0])))
  return table(
    [{ head: '' }, { head: 'row' }, { head: 'document' }, ...copies.map(({ index }) => ({ head: index }))],
    names.map((name) => [
      wrong.has(name) ? paint('yellow', name) : name,
      ...sides.map((fields) => (Object.hasOwn(fields, name) ? shorten(JSON.stringify(fields[name])) : '-')),
    ]),
  )
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

/** Three columns of a wide terminal. */
function shorten(text: string): string {
  return text.length > 48 ? `${text.slice(0, 47)}…` : text
}
