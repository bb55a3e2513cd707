-- What the daemon's role has to read, and who may call what.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE FUNCTION grant_document(document text) RETURNS SETOF text
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  daemon    text := current_schema() || '_daemon';
  installed sync_document;
  reads     oid[];
  wanted    record;
BEGIN
  -- Without roles (sluice migrate --roles) the daemon works as the role that installs, or has grants of its own.
  IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = daemon)
     OR NOT has_schema_privilege(daemon, current_schema(), 'USAGE') THEN
    RETURN;
  END IF;
  SELECT * INTO installed FROM sync_document d WHERE d.name = grant_document.document;
  IF NOT FOUND OR installed.state = 'detached' THEN RETURN; END IF;

  -- Views are read with their owner's rights; the root table is read itself, too (to tell a row that stopped matching
  -- from one that is gone, and for backfill --where), and a query runs with the rights of who calls it.
  SELECT array_agg(DISTINCT x.oid) INTO reads
    FROM (SELECT to_regclass(format('%I.%I', installed.plan #>> '{table,schema}', installed.plan #>> '{table,name}'))::oid
          UNION ALL
          SELECT d.refobjid FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
           WHERE p.pronamespace = quote_ident(current_schema())::regnamespace AND p.proname = installed.plan #>> '{query,name}'
             AND d.refclassid = 'pg_class'::regclass) x (oid)
   WHERE x.oid IS NOT NULL;

  FOR wanted IN
    WITH views AS (
      SELECT DISTINCT c.oid FROM pg_class c
       WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind = 'v'
         AND c.relname IN (SELECT installed.plan ->> 'view'
                           UNION
                           SELECT v FROM sync_source s, jsonb_array_elements_text(s.objects -> 'views') AS v
                            WHERE s.document = grant_document.document)
    ), query AS (
      SELECT p.oid FROM pg_proc p
       WHERE p.pronamespace = quote_ident(current_schema())::regnamespace AND p.proname = installed.plan #>> '{query,name}'
    ), called AS (
      -- Functions of the application: a view's, too, are called with the rights of who reads the view.
      SELECT DISTINCT d.refobjid AS oid
        FROM pg_depend d
       WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid > 16383
         AND (d.classid = 'pg_proc'::regclass AND d.objid IN (SELECT q.oid FROM query q)
              OR d.classid = 'pg_rewrite'::regclass
                 AND d.objid IN (SELECT r.oid FROM pg_rewrite r WHERE r.ev_class IN (SELECT v.oid FROM views v)))
      UNION
      SELECT q.oid FROM query q
    ), namespaces AS (
      SELECT DISTINCT c.relnamespace AS oid FROM pg_class c WHERE c.oid = ANY (reads)
      UNION
      SELECT t.typnamespace FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
       WHERE a.attrelid = ANY (reads) AND a.attnum > 0 AND NOT a.attisdropped
    )
    SELECT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, daemon) AS sql, has_schema_privilege(daemon, n.oid, 'USAGE') AS has,
           'USAGE' AS privilege, 'n' AS kind, n.oid
      FROM namespaces x JOIN pg_namespace n ON n.oid = x.oid
    UNION ALL
    SELECT format('GRANT SELECT ON %I.%I TO %I', n.nspname, c.relname, daemon), has_table_privilege(daemon, c.oid, 'SELECT'),
           'SELECT', 'c', c.oid
      FROM (SELECT v.oid FROM views v UNION SELECT unnest(reads)) x
      JOIN pg_class c ON c.oid = x.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT format('GRANT EXECUTE ON FUNCTION %I.%I(%s) TO %I', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), daemon),
           has_function_privilege(daemon, p.oid, 'EXECUTE'), 'EXECUTE', 'p', p.oid
      FROM called x JOIN pg_proc p ON p.oid = x.oid JOIN pg_namespace n ON n.oid = p.pronamespace
    ORDER BY 1
  LOOP
    CONTINUE WHEN wanted.has;
    BEGIN
      EXECUTE wanted.sql;
    EXCEPTION WHEN insufficient_privilege THEN
      NULL;
    END;
    -- Whoever has a privilege without the right to grant it gets a warning, and no error.
    IF NOT (CASE wanted.kind WHEN 'n' THEN has_schema_privilege(daemon, wanted.oid, wanted.privilege)
                            WHEN 'c' THEN has_table_privilege(daemon, wanted.oid, wanted.privilege)
                            ELSE has_function_privilege(daemon, wanted.oid, wanted.privilege) END) THEN
      RETURN NEXT wanted.sql;
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION grant_document IS
  'For install and migrate --roles: lets the daemon''s role (<schema>_daemon), where there is one, read what a document is made of. Returns the statements that somebody else has to run, for this role may not.';

-- Who may call what -------------------------------------------------------------------------------------------------
--
-- These run as their owner (SECURITY DEFINER), so that a grant of the function is all that it takes, and of the tables
-- none: whoever could write to sync_queue could also delete marks. So not everybody who may use the schema may call
-- them. migrations/roles/roles.sql grants the operator's and the daemon's. An application that waits for its own writes
-- needs two grants:
-- GRANT USAGE ON SCHEMA sluice TO app; GRANT EXECUTE ON FUNCTION sluice.sync_token, sluice.is_synced, … TO app
REVOKE EXECUTE ON FUNCTION sync_token, is_synced, sync_dead, sync_pending FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION
  pause, resume, enqueue, shed, cancel_run, cleanup_old_sync_records, create_log_partition, drop_old_log_partitions,
  retry_failed(text, text[], text), discard_failed(text, text[], text)
  FROM PUBLIC;
