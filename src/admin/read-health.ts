import { explain } from '../answers/explain.ts'
import { DEFAULT_ALERTS } from '../config/alerts.ts'
import { healthFigures } from '../queue/health-figures.ts'
import { readConditions } from '../queue/read-conditions.ts'
import { grade, type Health } from './grade.ts'
import type { Admin } from './types.ts'
import { within } from './within.ts'

/** Kubernetes and most load balancers wait a second or more; both servers are asked at once. */
const DEADLINE_MS = 3_000

/** Asks both servers, and grades what they say. Never throws. */
export async function readHealth(admin: Admin): Promise<Health> {
  const { pool, schema, elasticsearch, state, instance } = admin
  // The limits of an alert are of no account here: old backlog and drift are components of their own.
  const known = Promise.all([healthFigures(pool, schema), readConditions(pool, schema, DEFAULT_ALERTS)])
  const [figures, cluster] = await Promise.allSettled([
    within(DEADLINE_MS, 'Postgres', known),
    within(DEADLINE_MS, 'Elasticsearch', elasticsearch.clusterHealth()),
  ])
  return {
    instance,
    ...grade({
      daemon: state(),
      figures: figures.status === 'fulfilled' ? figures.value[0] : null,
      conditions: figures.status === 'fulfilled' ? figures.value[1] : [],
      postgresReason: figures.status === 'rejected' ? reasonOf(figures.reason, admin) : null,
      cluster: cluster.status === 'fulfilled' ? cluster.value : null,
      elasticsearchReason: cluster.status === 'rejected' ? reasonOf(cluster.reason, admin) : null,
    }),
  }
}

/** Why this instance does no work yet, or no more; empty: it does. */
export async function reasonsNotReady({ state, elasticsearch }: Admin): Promise<readonly string[]> {
  const { state: name, reason } = state()
  if (name === 'waiting') return [`it waits for a server: ${reason ?? 'it is starting'}`]
  if (name !== 'running') return [`it is ${name}`]
  // The daemon learns that Elasticsearch is away from what it sends there: without work, from nothing.
  const answer = await within(DEADLINE_MS, 'Elasticsearch', elasticsearch.ping()).catch((error: unknown) => ({
    outcome: 'unknown' as const,
    reason: error instanceof Error ? error.message : String(error),
  }))
  return answer.outcome === 'answered' ? [] : [`Elasticsearch: ${answer.reason}`]
}

/** Our own words for what a server or its driver says. */
export function reasonOf(error: unknown, { postgres }: Admin): string {
  const explained = explain(error, postgres)
  return explained instanceof Error ? explained.message : String(explained)
}
