import { FailedError, IncompleteError } from '../errors.ts'
import { isAbsent, objectOf } from './failures.ts'
import { type Http, pathOf } from './http.ts'
import type { ServerInfo } from './types.ts'

type JsonObject = Readonly<Record<string, unknown>>

export interface NewIndex {
  readonly name: string
  /** Alias to point at it from its first moment. */
  readonly alias?: string
  readonly mappings: JsonObject
  /** Nested, dotted, with or without the leading `index.`, as Elasticsearch takes them. */
  readonly settings: JsonObject
  /** Do not wait for its shards: whoever asks looks after them. Default: half a minute, and then it is there all the same. */
  readonly unattended?: boolean
}

/** What an alias' name stands for. */
export interface AliasTargets {
  /** Physical indices it points to; empty when there is no such alias. */
  readonly indices: readonly string[]
  /** True when the name is an index itself, so that no alias can have it. */
  readonly concrete: boolean
}

/**
 * Tombstones of deletes live for an hour, not for the default minute: after them an older index operation would be
 * accepted again, and a request may hang in a proxy for longer than a minute.
 */
const ourSettings: JsonObject = { 'index.gc_deletes': '1h' }

/**
 * Creates a physical index, and its alias with it. Settings beat our defaults; shards, replicas and refresh are
 * left to the server and the user. Throws ConfigError for mappings or settings the server refuses.
 */
export async function createIndex(
  http: Http,
  product: ServerInfo['product'],
  { name, alias, mappings, settings, unattended = false }: NewIndex,
): Promise<{ uuid: string }> {
  const body = {
    mappings,
    settings: {
      ...ourSettings,
      // Undoes our template's guard (see templates.ts).
      ...(product === 'opensearch' ? { 'index.sort.field': [] } : {}),
      ...flatSettings(settings),
    },
    ...(alias === undefined ? {} : { aliases: { [alias]: {} } }),
  }
  const doing = `creating index ${name}`
  const query = unattended ? { query: { wait_for_active_shards: '0' } } : {}
  const answer = objectOf(await http.send({ method: 'PUT', path: pathOf(name), ...query, body }), doing)
  const uuid = answer.acknowledged === true ? await indexUuid(http, name) : null
  if (uuid === null) {
    throw new IncompleteError(`the cluster did not confirm ${doing} in time`, {
      where: `Elasticsearch at ${http.nodes}`,
      remedy: 'look at the cluster’s health, and try again',
    })
  }
  return { uuid }
}

/** Settings in one form, `index.…` with dots, so that a user's way of writing one does not keep our default beside it. */
export function flatSettings(settings: JsonObject): Record<string, unknown> {
  const flat: Record<string, unknown> = {}
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`)
    } else {
      flat[path === 'index' || path.startsWith('index.') ? path : `index.${path}`] = value
    }
  }
  walk(settings, '')
  return flat
}

/** UUID of an index, or null when no index has this name (an alias of it does not count). */
export async function indexUuid(http: Http, name: string): Promise<string | null> {
  const settings = await settingsByIndex(http, name, 'index.uuid')
  const uuid = settings?.[name]?.['index.uuid']
  return typeof uuid === 'string' ? uuid : null
}

/** UUIDs of the open indices that a name or a pattern stands for, by name: one request for thousands of tenants. */
export function indexUuids(http: Http, names: string): Promise<ReadonlyMap<string, string>> {
  return indexSetting(http, names, 'index.uuid')
}

/** One setting of the same, by name; indices that do not state it are left out. */
export async function indexSetting(
  http: Http,
  names: string,
  setting: string,
): Promise<ReadonlyMap<string, string>> {
  const settings = (await settingsByIndex(http, names, setting)) ?? {}
  return new Map(
    Object.entries(settings).flatMap(([name, entry]) =>
      entry[setting] === undefined ? [] : [[name, String(entry[setting])]],
    ),
  )
}

/** Settings of an index, flat: `index.gc_deletes` → `1h`. Throws FailedError when there is none. */
export async function getSettings(http: Http, name: string): Promise<JsonObject> {
  const settings = await settingsByIndex(http, name)
  const [only] = Object.values(settings ?? {})
  if (only === undefined) throw noSuchIndex(http, name)
  return only
}

/** All settings that indices of a name or a pattern state, flat, by index. */
export async function settingsOf(http: Http, names: string): Promise<ReadonlyMap<string, JsonObject>> {
  return new Map(Object.entries((await settingsByIndex(http, names)) ?? {}))
}

/** What the name of an alias stands for at present. */
export async function aliasTargets(http: Http, alias: string): Promise<AliasTargets> {
  const names = Object.keys((await settingsByIndex(http, alias, 'index.uuid')) ?? {})
  return names.includes(alias) ? { indices: [], concrete: true } : { indices: names.sort(), concrete: false }
}

/** Settings, or one of them, by physical index; null when the name stands for nothing. */
async function settingsByIndex(
  http: Http,
  name: string,
  setting?: string,
): Promise<Readonly<Record<string, JsonObject>> | null> {
  const path = setting === undefined ? pathOf(name, '_settings') : pathOf(name, '_settings', setting)
  const answer = await http.send({ method: 'GET', path, query: { flat_settings: 'true' } })
  if (isAbsent(answer)) return null
  const settings: Record<string, JsonObject> = {}
  for (const [index, entry] of Object.entries(objectOf(answer, `reading settings of ${name}`))) {
    if (isObject(entry) && isObject(entry.settings)) settings[index] = entry.settings
  }
  return settings
}

/** Drops an index; none is fine. */
export async function deleteIndex(http: Http, name: string): Promise<void> {
  const answer = await http.send({ method: 'DELETE', path: pathOf(name) })
  if (!isAbsent(answer)) objectOf(answer, `deleting index ${name}`)
}

/** Mappings of an index, as the server holds them. Throws FailedError when there is none. */
export async function getMappings(http: Http, name: string): Promise<JsonObject> {
  const answer = await http.send({ method: 'GET', path: pathOf(name, '_mapping') })
  if (isAbsent(answer)) throw noSuchIndex(http, name)
  const [only] = Object.values(objectOf(answer, `reading mappings of ${name}`))
  return isObject(only) && isObject(only.mappings) ? only.mappings : {}
}

/** Mappings of the indices that a name or a pattern stands for, by name. */
export async function mappingsOf(http: Http, names: string): Promise<ReadonlyMap<string, JsonObject>> {
  const answer = await http.send({ method: 'GET', path: pathOf(names, '_mapping') })
  if (isAbsent(answer)) return new Map()
  return new Map(
    Object.entries(objectOf(answer, `reading mappings of ${names}`)).flatMap(([name, entry]) =>
      isObject(entry) && isObject(entry.mappings) ? [[name, entry.mappings]] : [],
    ),
  )
}

/** Adds fields to an index' mappings. Throws ConfigError when a field exists with another type: that takes a reindex. */
export async function putMappings(http: Http, name: string, mappings: JsonObject): Promise<void> {
  objectOf(
    await http.send({ method: 'PUT', path: pathOf(name, '_mapping'), body: mappings }),
    `adding to the mappings of ${name}`,
  )
}

function noSuchIndex(http: Http, name: string): FailedError {
  return new FailedError(`there is no index ${name}`, {
    where: `Elasticsearch at ${http.nodes}`,
    remedy: 'run sluice install',
  })
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
