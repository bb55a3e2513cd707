-- Roles of sluice and their grants: `sluice migrate --roles` applies this, `--roles --dry-run` prints it with the names
-- filled in, for an administrator to run. It is safe to run again, and ends with the grants below whatever was there.
-- Behind each colon below the program puts a name: the schema, and the roles, which are called after it.
--
-- Group roles without a login: grant them to the logins that people and daemons use (GRANT … TO …). Roles belong to the
-- whole server: one that is there already is used as it is, and databases that call their schema alike share them.

DO $roles$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[:'daemon', :'operator', :'reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = name) THEN
      BEGIN
        EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', name);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- Another database of this server was quicker.
      END;
    END IF;
  END LOOP;
END $roles$;

REVOKE ALL ON SCHEMA :"schema" FROM :"daemon", :"operator", :"reader";
REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM :"daemon", :"operator", :"reader";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA :"schema" FROM :"daemon", :"operator", :"reader";
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA :"schema" FROM :"daemon", :"operator", :"reader";
GRANT USAGE ON SCHEMA :"schema" TO :"daemon", :"operator", :"reader";

-- Reading: the views, for dashboards. No table, so neither marks nor definitions; of documents no value, but of those
-- that failed a key.
GRANT SELECT ON
  :"schema".sync_stats, :"schema".sync_hourly, :"schema".sync_lag, :"schema".sync_failures, :"schema".sync_workers,
  :"schema".sync_runs, :"schema".sync_alerts
  TO :"daemon", :"operator", :"reader";

-- The daemon. It cannot change a definition or a plan, which are SQL that it runs, nor drop anything but old log.
GRANT SELECT ON
  :"schema".sync_migration, :"schema".sync_document, :"schema".sync_source, :"schema".sync_queue, :"schema".sync_index,
  :"schema".sync_failed, :"schema".sync_run, :"schema".sync_schedule, :"schema".sync_brake, :"schema".sync_alert, :"schema".sync_worker,
  :"schema".sync_identity, :"schema".sync_log, :"schema".sync_rollup, :"schema".sync_version, :"schema".sync_audit
  TO :"daemon";
GRANT INSERT, UPDATE, DELETE ON
  :"schema".sync_queue, :"schema".sync_index, :"schema".sync_failed, :"schema".sync_brake
  TO :"daemon";
GRANT INSERT, UPDATE ON
  :"schema".sync_run, :"schema".sync_alert, :"schema".sync_worker, :"schema".sync_identity, :"schema".sync_rollup
  TO :"daemon";
GRANT INSERT ON :"schema".sync_log, :"schema".sync_audit TO :"daemon";
GRANT UPDATE (status, outcome) ON :"schema".sync_audit TO :"daemon";
GRANT UPDATE (state, reason, alarm, foreign_version, changed_at) ON :"schema".sync_document TO :"daemon";
GRANT UPDATE (next_at, last_at, fired_at, fired_by, last_runs) ON :"schema".sync_schedule TO :"daemon";
GRANT USAGE, UPDATE ON SEQUENCE :"schema".sync_version TO :"daemon";
GRANT SELECT ON SEQUENCE :"schema".sync_queue_id_seq TO :"daemon";
GRANT EXECUTE ON FUNCTION
  :"schema".create_log_partition, :"schema".cleanup_old_sync_records, :"schema".sync_token, :"schema".is_synced,
  :"schema".sync_dead, :"schema".sync_pending
  TO :"daemon";
-- What it does for an operator who asks over HTTP.
GRANT EXECUTE ON FUNCTION
  :"schema".pause, :"schema".resume, :"schema".cancel_run, :"schema".retry_failed(text, text[], text),
  :"schema".discard_failed(text, text[], text)
  TO :"daemon";

-- The operator: pauses, resumes, retries, and asks for runs. It reads everything here, marks nothing away, and the
-- application's tables are not its business.
GRANT SELECT ON
  :"schema".sync_migration, :"schema".sync_document, :"schema".sync_source, :"schema".sync_queue, :"schema".sync_index,
  :"schema".sync_failed, :"schema".sync_run, :"schema".sync_schedule, :"schema".sync_brake, :"schema".sync_alert, :"schema".sync_worker,
  :"schema".sync_identity, :"schema".sync_log, :"schema".sync_rollup, :"schema".sync_version, :"schema".sync_audit
  TO :"operator";
GRANT INSERT (kind, document, options, reason, requested_by, origin, truncated, total) ON :"schema".sync_run
  TO :"operator";
-- A request that meets another run changes nothing of it but this.
GRANT UPDATE (origin, truncated, verify_after, verify_after_truncated) ON :"schema".sync_run TO :"operator";
GRANT EXECUTE ON FUNCTION
  :"schema".pause, :"schema".resume, :"schema".enqueue, :"schema".shed, :"schema".cancel_run,
  :"schema".retry_failed(text, text[], text), :"schema".discard_failed(text, text[], text),
  :"schema".cleanup_old_sync_records, :"schema".sync_token, :"schema".is_synced, :"schema".sync_dead,
  :"schema".sync_pending
  TO :"operator";

-- What the installed documents are made of; install does the same for those to come. What it returns, somebody else has
-- to run: the owner of a table.
SELECT statement FROM :"schema".sync_document d CROSS JOIN LATERAL :"schema".grant_document(d.name) AS statement;
