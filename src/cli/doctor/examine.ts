import type { Pool } from 'pg'
import { readStatus } from '../../answers/read-status.ts'
import { readCaptured } from '../../capture/capture-gaps.ts'
import { planInstall } from '../../capture/plan-install.ts'
import { readReplicaSettings } from '../../capture/replica-settings.ts'
import { DEFAULT_ALERTS } from '../../config/alerts.ts'
import type { ScheduleDefinition, Settings } from '../../config/types.ts'
import type { Elasticsearch } from '../../elasticsearch/client.ts'
import { readConditions } from '../../queue/read-conditions.ts'
import { schedulesPart } from '../../runs/install-schedules.ts'
import type { Examined } from './diagnose.ts'
import { readIndexTrouble } from './index-trouble.ts'
import { readMappingDrift } from './mapping-drift.ts'
import { readMissingGrants } from './read-grants.ts'
import { readServers } from './read-servers.ts'
import { readOldSnapshots, readOpenSchemas, readVacuumOff } from './read-vacuum.ts'
import { readStrayed } from './strayed.ts'
import type { Refused } from './structure-findings.ts'
import { readShortTombstones } from './tombstones.ts'

/** Looks at everything, and changes nothing. A document that `install` would refuse keeps no other from being looked at. */
export async function examine(
  pool: Pool,
  elasticsearch: Elasticsearch,
  settings: Settings,
  schedules: ReadonlyMap<string, ScheduleDefinition>,
): Promise<Examined> {
  const { schema, documents: definitions, limits, alerts = DEFAULT_ALERTS } = settings
  const refused: Refused[] = []
  const client = await pool.connect()
  try {
    const also = schedulesPart(pool, schema, schedules)
    const onRefused = (document: string, error: Refused['error']) => refused.push({ document, error })
    const input = { schema, definitions, elasticsearch, backfill: true, also, onRefused }
    const plan = await planInstall(client, input)
    const { plans } = plan
    const status = await readStatus({ pool, schema }, { documents: definitions, schedules })
    const asked = { client, schema, postgres: settings.postgres, limits }
    return {
      plan,
      refused,
      status,
      lasting: await readConditions(pool, schema, alerts),
      servers: await readServers({ ...asked, elasticsearch, search: settings.elasticsearch }),
      grants: await readMissingGrants(client, schema),
      vacuumOff: await readVacuumOff(client, schema),
      snapshots: await readOldSnapshots(client),
      troubles: await readIndexTrouble(elasticsearch, plans, status),
      tombstones: await readShortTombstones(elasticsearch, plans, status.indices),
      strayed: await readStrayed({ pool, schema }, elasticsearch, plans),
      mappings: await readMappingDrift(pool, schema, elasticsearch, plans),
      replica: await readReplicaSettings(pool),
      captured: await readCaptured(pool, schema),
      openSchemas: await readOpenSchemas(client),
    }
  } finally {
    client.release()
  }
}
