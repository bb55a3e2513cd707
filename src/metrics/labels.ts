/**
 * The values that labels may have: closed sets, so that neither a server's answer nor a table can make series without end
 * (each is kept by Prometheus for weeks). What is in none of them is `other`.
 */
const OTHER = 'other'

const lanes = ['interactive', 'bulk', 'parked'] as const

/** Name of a lane: 0, 1 or 2. */
export function laneName(lane: number): string {
  return lanes[lane] ?? OTHER
}

export const daemonStates = ['running', 'waiting', 'draining', 'stopped'] as const
export const documentStates = ['active', 'paused', 'detached'] as const
export const failureStates = ['retrying', 'dead'] as const
export const runKinds = ['backfill', 'reindex', 'verify', 'optimize'] as const
export const differenceKinds = ['missing', 'stale', 'extra'] as const
export const severities = ['warning', 'critical'] as const

/**
 * What sluice itself, Elasticsearch 8 and 9 and OpenSearch say is wrong: with an item, a request, a document or an index.
 * Those that the tests and the drills have met, and those that their sources say of bulk requests.
 */
const errorTypes: ReadonlySet<string> = new Set([
  // sluice
  'claim_over',
  'invalid_key',
  'items_mismatch',
  'no_index',
  'no_transform',
  'not_workable',
  'off',
  'parked',
  'pool_exhausted',
  'request_too_large',
  'server_changed',
  'tenant_index',
  'transform_error',
  'transform_result',
  'transform_timeout',
  'unexpected',
  'unindexable_value',
  'unreachable',
  'unreadable_answer',
  'versions_set_back',
  'waiting',
  // Elasticsearch and OpenSearch
  'authorization_exception',
  'circuit_breaking_exception',
  'cluster_block_exception',
  'cluster_manager_not_discovered_exception',
  'document_missing_exception',
  'document_parsing_exception',
  'engine_exception',
  'illegal_argument_exception',
  'illegal_state_exception',
  'index_closed_exception',
  'index_create_block_exception',
  'index_not_found_exception',
  'invalid_index_name_exception',
  'json_parse_exception',
  'mapper_parsing_exception',
  'master_not_discovered_exception',
  'node_closed_exception',
  'node_not_connected_exception',
  'no_shard_available_action_exception',
  'null_pointer_exception',
  'parsing_exception',
  'process_cluster_event_timeout_exception',
  'rejected_execution_exception',
  'routing_missing_exception',
  'script_exception',
  'security_exception',
  'strict_dynamic_mapping_exception',
  'timeout_exception',
  'unavailable_shards_exception',
  'validation_exception',
  'version_conflict_engine_exception',
])

/** Classes of SQLSTATE that a query of ours can end with; functions of the application may raise whatever they like. */
const sqlClasses: ReadonlySet<string> = new Set(
  '08 0A 21 22 23 25 26 28 2D 40 42 44 53 54 55 57 58 P0 XX'.split(' '),
)

const statuses: ReadonlySet<number> = new Set([
  400, 401, 403, 404, 405, 406, 408, 409, 413, 429, 500, 502, 503, 504,
])

/** The type of an error as a label: itself where we know it, an SQLSTATE by its class (`sqlstate_42`), else `other`. */
export function errorTypeLabel(type: string): string {
  if (errorTypes.has(type)) return type
  const sqlClass = /^sqlstate_(..)...$/.exec(type)?.[1]
  if (sqlClass !== undefined && sqlClasses.has(sqlClass)) return `sqlstate_${sqlClass}`
  const status = /^http_(\d{3})$/.exec(type)?.[1]
  if (status !== undefined && statuses.has(Number(status))) return type
  return OTHER
}

/** A value as a label: itself where it is of the set, else `other`. */
export function labelOf(known: readonly string[], value: string): string {
  return known.includes(value) ? value : OTHER
}
