import { z } from 'zod'

/** What `doctor` can find; docs/doctor.md says what each means. Conditions that are alerts, too, are called as those are. */
export const findingNames = [
  'alias_moved',
  'alias_unknown',
  'autovacuum_off',
  'backlog_old',
  'certificate_expires',
  'certificate_unverified',
  'clock_differs',
  'connections_short',
  'dead_letters',
  'deletes_forgotten',
  'disk_low',
  'document_alarm',
  'document_detached',
  'document_paused',
  'drift',
  'grant_missing',
  'guard_missing',
  'index_blocked',
  'index_left',
  'index_read_only',
  'later_columns',
  'mapping_changed',
  'mapping_foreign',
  'mapping_missing',
  'never_refreshed',
  'no_worker',
  'not_as_configured',
  'not_configured',
  'not_examined',
  'not_installable',
  'old_snapshot',
  'open_schema',
  'plaintext',
  'plan_warning',
  'reading_role',
  'reindex_needed',
  'retrying',
  'run_failed',
  'schedule_unattended',
  'sending_paused',
  'server_untested',
  'shards_missing',
  'triggers_off',
  'unindexed_link',
  'worker_vanished',
] as const

/** What `doctor` prints with --json. Exit code 0: no findings, notes aside. */
export const doctorJson = z.strictObject({
  /** Versions, as they call themselves: `18.4`, `Elasticsearch 8.19.21`. */
  servers: z.strictObject({ postgres: z.string(), elasticsearch: z.string() }),
  findings: z.array(
    z.strictObject({
      name: z.enum(findingNames),
      /** error: documents are wrong, or will be; warning: slower than need be, or about to be; note: something to know. */
      severity: z.enum(['error', 'warning', 'note']),
      /** Null where it is no single document's. */
      document: z.string().nullable(),
      what: z.string(),
      /** What was seen. */
      evidence: z.string().nullable(),
      /** SQL, or a command of a shell: as it is, to be pasted. Null where it takes a decision first. */
      remedy: z.string().nullable(),
      /** What to know of the remedy, or what to decide. */
      advice: z.string().nullable(),
    }),
  ),
})
