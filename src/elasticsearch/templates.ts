import { ConfigError } from '../errors.ts'
import { failureError, isAbsent, objectOf } from './failures.ts'
import { type Http, pathOf } from './http.ts'
import { templateName, templatePattern } from './names.ts'
import { noAutoCreateMarker } from './outcome.ts'
import type { ServerInfo } from './types.ts'

/**
 * Above any template of a user's that covers the same names: only the one of highest priority applies, and ours
 * has nothing in it but the guard. The name's length is added, because Elasticsearch refuses two templates of one
 * priority with overlapping patterns, and `cities-2d-…` matches the pattern of `cities`.
 */
const basePriority = 1_000_000

/**
 * Guards the physical indices of an alias: an operation on one that does not exist answers 404 and creates nothing
 * (invariant 13; an `index` or `delete` with an external version would create it, `require_alias` does not stop
 * deletes).
 *
 * OpenSearch 3.4 knows no `allow_auto_create` ("unknown field"). There the template sorts its indices by a field
 * that does not exist: creation fails with the field's name as the reason, unless the request says otherwise, which
 * only `createIndex` does. Two limits there: the answer is a 400 (told by that name, and blocked all the same), and
 * an index of these names cannot be created by hand without `"index.sort.field": []`.
 */
export async function putTemplate(http: Http, product: ServerInfo['product'], alias: string): Promise<void> {
  const name = templateName(alias)
  await refuseForeign(http, name)
  const guard =
    product === 'opensearch'
      ? { template: { settings: { 'index.sort.field': noAutoCreateMarker } } }
      : { allow_auto_create: false }
  const body = {
    index_patterns: [templatePattern(alias)],
    priority: basePriority + alias.length,
    _meta: { managed_by: 'sluice' },
    ...guard,
  }
  objectOf(
    await http.send({ method: 'PUT', path: pathOf('_index_template', name), body }),
    `putting index template ${name}`,
  )
}

/** Removes our template of an alias; none is fine. */
export async function deleteTemplate(http: Http, alias: string): Promise<void> {
  const name = templateName(alias)
  if (!(await refuseForeign(http, name))) return
  const answer = await http.send({ method: 'DELETE', path: pathOf('_index_template', name) })
  if (!isAbsent(answer)) objectOf(answer, `deleting index template ${name}`)
}

/** What became of the guard of an alias: it stands as it was put, is gone, or guards no longer what it should. */
export type Guard = 'stands' | 'absent' | 'changed'

export async function guardOf(http: Http, product: ServerInfo['product'], alias: string): Promise<Guard> {
  const name = templateName(alias)
  const answer = await http.send({ method: 'GET', path: pathOf('_index_template', name) })
  if (isAbsent(answer)) return 'absent'
  const { index_templates: [found] = [] } = objectOf(answer, `reading index template ${name}`) as {
    index_templates?: readonly { readonly index_template: RawTemplate }[]
  }
  if (found === undefined) return 'absent'
  const { index_patterns, allow_auto_create, priority, template } = found.index_template
  // OpenSearch gives settings back nested, in its own way; the marker is no word that anybody writes by chance.
  const guards =
    product === 'opensearch'
      ? JSON.stringify(template ?? {}).includes(noAutoCreateMarker)
      : allow_auto_create === false
  const stands =
    guards && index_patterns.includes(templatePattern(alias)) && priority === basePriority + alias.length
  return stands ? 'stands' : 'changed'
}

interface RawTemplate {
  readonly index_patterns: readonly string[]
  readonly allow_auto_create?: boolean
  readonly priority?: number
  readonly template?: object
}

/** Throws ConfigError for a template of that name that is not ours; true where there is one that is. */
async function refuseForeign(http: Http, name: string): Promise<boolean> {
  const answer = await http.send({
    method: 'GET',
    path: pathOf('_index_template', name),
    query: {
      filter_path: 'error,status,index_templates.name,index_templates.index_template._meta.managed_by',
    },
  })
  if (isAbsent(answer)) return false
  if (answer.kind !== 'answer' || answer.status !== 200)
    throw failureError(answer, `reading index template ${name}`)
  if (answer.text.includes('"managed_by":"sluice"')) return true
  throw new ConfigError(`an index template ${name} exists that sluice did not make`, {
    where: `Elasticsearch at ${answer.node}`,
    remedy: 'rename that template, or choose another index name',
  })
}
