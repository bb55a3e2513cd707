import type { Command } from 'commander'
import type pg from 'pg'
import { readCaptured } from '../../capture/capture-gaps.ts'
import { planInstall } from '../../capture/plan-install.ts'
import { readReplicaSettings } from '../../capture/replica-settings.ts'
import { schedulesPart } from '../../runs/install-schedules.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { type DoctorFinding, diagnose, type OldSnapshot } from '../diagnosis.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { paint } from '../format.ts'
import { doctorJson } from '../json/doctor.ts'
import { readMappingDrift } from '../mapping-drift.ts'
import { readStatus } from '../read-status.ts'
import { readStrayed } from '../strayed.ts'
import { readShortTombstones } from '../tombstones.ts'

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('All that makes documents wrong or slow, each with evidence and remedy')
    .addHelpText(
      'after',
      `${examples(
        ['sluice doctor', 'what is wrong? Exit code 3 when something is'],
        ["sluice doctor --json | jq -r '.findings[].remedy'", 'what to do, for a program'],
      )}

It changes nothing. It looks at triggers, partitions and views against the configuration, session_replication_role as it
is set for roles, database and server, columns that came later, mappings that were changed in Elasticsearch, missing
indexes, tables that a document reads and nothing watches, what row-level security or a missing grant keeps from the roles
that read, schemas in which everybody may create functions, paused documents, failures, failed runs, blocked indices,
daemons, schedules, aliases and indices that the database does not know, indices that forget deletes too soon, and old
transactions.`,
    )
    .action(action(doctor))
}

async function doctor(context: CommandContext): Promise<ExitCode> {
  const { schema, documents: definitions } = await context.settings()
  const schedules = await context.schedules()
  const { pool } = await context.database()
  const elasticsearch = await context.elasticsearch()
  const client = await pool.connect()
  try {
    const also = schedulesPart(pool, schema, schedules)
    const plan = await planInstall(client, { schema, definitions, elasticsearch, backfill: true, also })
    const status = await readStatus({ pool, schema }, { documents: definitions, schedules })
    const tombstones = await readShortTombstones(elasticsearch, plan.plans, status.indices)
    const strayed = await readStrayed({ pool, schema }, elasticsearch, plan.plans)
    const mappings = await readMappingDrift(pool, schema, elasticsearch, plan.plans)
    const replica = await readReplicaSettings(pool)
    const captured = await readCaptured(pool, schema)
    const snapshots = await readOldSnapshots(client)
    const openSchemas = await readOpenSchemas(client)
    const looked = { snapshots, tombstones, strayed, mappings, replica, captured, openSchemas }
    const findings = diagnose({ plan, status, ...looked })
    context.output.result(doctorJson, { findings: [...findings] }, () => findingsText(findings))
    return findings.length === 0 ? exitCodes.done : exitCodes.differences
  } finally {
    client.release()
  }
}

/** Younger ones come and go: a dump, a report. */
const OLD_SNAPSHOT = '15 minutes'

/** Sessions of other databases do not count: vacuum of our tables does not wait for them. */
async function readOldSnapshots(client: pg.ClientBase): Promise<readonly OldSnapshot[]> {
  const { rows } = await client.query<OldSnapshot>(
    `SELECT pid, application_name AS application, coalesce(state, backend_type) AS state,
            extract(epoch FROM clock_timestamp() - xact_start)::float8 * 1000 AS "ageMs"
       FROM pg_stat_activity
      WHERE datname = current_database() AND backend_type NOT LIKE 'autovacuum%'
        AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND xact_start < clock_timestamp() - $1::interval
      ORDER BY xact_start`,
    [OLD_SNAPSHOT],
  )
  return rows
}

/** Schemas on the search_path in which everybody may create: public, in a database that is older than Postgres 15. */
async function readOpenSchemas(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ schema: string }>(
    `SELECT quote_ident(n.nspname) AS schema FROM pg_namespace n
      WHERE n.nspname = ANY (current_schemas(false)) AND has_schema_privilege('public', n.oid, 'CREATE') ORDER BY 1`,
  )
  return rows.map(({ schema }) => schema)
}

function findingsText(findings: readonly DoctorFinding[]): string {
  if (findings.length === 0) return 'Nothing is wrong.'
  return findings
    .map(({ severity, document, what, evidence, remedy }) => {
      const subject = document === null ? '' : `${document} `
      const head = `${paint(severity === 'error' ? 'red' : 'yellow', severity)}  ${subject}${what}`
      return [
        head,
        ...(evidence === null ? [] : [`  ${evidence}`]),
        ...(remedy === null ? [] : [`  → ${remedy}`]),
      ].join('\n')
    })
    .join('\n\n')
}
