-- The states of documents, and of the runs for them.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE FUNCTION change_document_state(document text, state text, reason text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  present text;
BEGIN
  SELECT d.state INTO present FROM sync_document d WHERE d.name = change_document_state.document
     FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'sluice has no document "%"', change_document_state.document
      USING ERRCODE = 'undefined_object', HINT = 'SELECT name FROM sync_document lists them.';
  END IF;
  IF present = 'detached' AND change_document_state.state <> 'detached' THEN
    RAISE EXCEPTION 'document "%" is detached', change_document_state.document
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Its triggers are gone: run sluice install, which puts them back and backfills.';
  END IF;
  UPDATE sync_document d
     SET state = change_document_state.state, reason = change_document_state.reason, changed_at = clock_timestamp()
   WHERE d.name = change_document_state.document;
END $$;
COMMENT ON FUNCTION change_document_state IS 'For pause, resume and detach.';

CREATE FUNCTION pause(document text, reason text DEFAULT NULL) RETURNS void
LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
  SELECT change_document_state(document, 'paused', coalesce(reason, 'paused by ' || session_user));
END;
COMMENT ON FUNCTION pause IS 'Stops indexing a document; its marks gather in the queue.';

CREATE FUNCTION brake_alarm(document text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT format('the mass-delete brake holds back %s deletes that no DELETE explains, after %s%s carried out. '
                'Rows of %s stopped matching or are gone; for example %s. '
                'If they are to go: sluice resume %s --deletes. If not: put the configuration or the rows right, then: sluice resume %s',
                to_char(b.parked, 'FM999,999,999,999'), to_char(b.deletes, 'FM999,999,999,990'),
                coalesce(' of ' || to_char(b.documents, 'FM999,999,999,990') || ' documents', ''),
                b.document, array_to_string(b.sample, ', '), b.document, b.document)
    FROM sync_brake b WHERE b.document = $1 AND b.tripped_at IS NOT NULL;
END;
COMMENT ON FUNCTION brake_alarm IS 'What the mass-delete brake has to say about a document; NULL while it has not tripped.';

CREATE FUNCTION release_parked(document text, confirmed boolean) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  tripped  boolean;
  released bigint := 0;
BEGIN
  -- First the brake, then the rest: the order in which a settlement writes them. A statement of its own: the next ones
  -- have to see the marks that the last settlement has parked.
  SELECT b.tripped_at IS NOT NULL INTO tripped FROM sync_brake b
   WHERE b.document = release_parked.document FOR UPDATE;
  IF tripped THEN
    -- Marks of lane 2 that have a target wait for that index, and not for a decision.
    WITH moved AS (
      UPDATE sync_queue q
         SET lane = 1, op = CASE WHEN release_parked.confirmed THEN 'delete' ELSE q.op END
       WHERE q.document = release_parked.document AND q.lane = 2 AND q.target IS NULL
      RETURNING cardinality(q.keys) AS keys
    )
    SELECT coalesce(sum(m.keys), 0) INTO released FROM moved m;
    UPDATE sync_document d SET alarm = NULL
     WHERE d.name = release_parked.document AND d.alarm LIKE 'the mass-delete brake %';
  END IF;
  IF release_parked.confirmed THEN
    DELETE FROM sync_brake b WHERE b.document = release_parked.document;
  ELSIF tripped THEN
    -- The count stays, and its window begins anew: looking again must not allow another tenth of the index each time.
    UPDATE sync_brake b SET tripped_at = NULL, window_started_at = clock_timestamp(), parked = 0, sample = '{}'
     WHERE b.document = release_parked.document;
  END IF;
  RETURN released;
END $$;
COMMENT ON FUNCTION release_parked IS 'For resume and install: what the mass-delete brake has parked is looked at again, confirmed or not. Returns the number of keys.';

CREATE FUNCTION resume(document text, deletes boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
  released bigint;
BEGIN
  released := release_parked(document, deletes);
  PERFORM change_document_state(document, 'active', NULL);
  RETURN released;
END $$;
COMMENT ON FUNCTION resume IS 'Goes on with a paused document, from the marks that gathered. Deletes that the mass-delete brake has parked are looked at again; with deletes => true they are confirmed. Returns the number of keys released.';

CREATE FUNCTION detach(document text) RETURNS integer
LANGUAGE plpgsql SET search_path FROM CURRENT
-- A waiting ALTER queues the application's transactions behind it: wait briefly, let them pass, and try again.
SET lock_timeout = '300ms'
AS $$
DECLARE
  functions oid[];
  names     text[];
  view_name text;
  object    record;
  dropped   integer := 0;
  attempt   integer := 0;
BEGIN
  IF NOT EXISTS (SELECT FROM sync_document d WHERE d.name = detach.document) THEN
    RAISE EXCEPTION 'sluice has no document "%"', detach.document
      USING ERRCODE = 'undefined_object', HINT = 'SELECT name FROM sync_document lists them.';
  END IF;

  -- By name in our schema: the argument types in the recorded signatures are tables, which may have been renamed.
  SELECT array_agg(DISTINCT CASE WHEN f LIKE '"%'
           THEN replace(substring(f FROM '^"((?:[^"]|"")*)"'), '""', '"')
           ELSE substring(f FROM '^[^(]*') END)
    INTO names
    FROM sync_source s, jsonb_array_elements_text(s.objects -> 'functions') AS f
   WHERE s.document = detach.document;
  SELECT array_agg(p.oid) INTO functions
    FROM pg_proc p
   WHERE p.pronamespace = quote_ident(current_schema())::regnamespace AND p.proname = ANY (names);

  LOOP
    BEGIN
      -- By what they call, wherever they are now: a renamed or moved table, a leaf, a detached partition.
      FOR object IN
        SELECT t.tgrelid::regclass AS tab, t.tgname AS name
          FROM pg_trigger t
         WHERE t.tgfoid = ANY (functions) AND NOT t.tgisinternal AND t.tgparentid = 0
         ORDER BY t.tgrelid, t.tgname
      LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', object.name, object.tab);
        dropped := dropped + 1;
      END LOOP;
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      attempt := attempt + 1;
      IF attempt >= 30 THEN
        RAISE EXCEPTION 'document "%" was not detached: one of its tables is locked by another session', detach.document
          USING ERRCODE = 'lock_not_available',
                HINT = 'pg_blocking_pids() of a waiting session names it. Nothing was changed; try again.';
      END IF;
      dropped := 0;
      PERFORM pg_sleep(random() / 5);
    END;
  END LOOP;

  FOR view_name IN
    SELECT v FROM sync_source s, jsonb_array_elements_text(s.objects -> 'views') AS v WHERE s.document = detach.document
    UNION
    SELECT d.plan ->> 'view' FROM sync_document d WHERE d.name = detach.document AND d.plan ->> 'view' IS NOT NULL
  LOOP
    EXECUTE format('DROP VIEW IF EXISTS %I.%I', current_schema(), view_name);
  END LOOP;
  IF functions IS NOT NULL THEN
    -- In one statement, for they may use each other.
    EXECUTE (SELECT 'DROP FUNCTION ' || string_agg(f::regprocedure::text, ', ') FROM unnest(functions) AS f);
  END IF;
  DELETE FROM sync_source s WHERE s.document = detach.document;
  PERFORM change_document_state(detach.document, 'detached', 'detached by ' || session_user);
  RETURN dropped;
END $$;
COMMENT ON FUNCTION detach IS 'Emergency switch: drops our triggers, functions and views of a document, and returns the number of triggers dropped. sluice install puts them back and backfills.';

-- Runs ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION cancel_run(run bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  cancelled sync_run;
BEGIN
  -- At once where nobody executes it (still requested, or no heartbeat for 15 seconds); else its worker is asked to stop.
  -- A reindex that moves its aliases is past that, and goes on.
  UPDATE sync_run r
     SET state = CASE WHEN r.state = 'requested' OR r.heartbeat_at < clock_timestamp() - interval '15 seconds'
                      THEN 'cancelled' ELSE 'cancelling' END,
         finished_at = CASE WHEN r.state = 'requested' OR r.heartbeat_at < clock_timestamp() - interval '15 seconds'
                            THEN clock_timestamp() END
   WHERE r.id = cancel_run.run AND r.state IN ('requested', 'running', 'cancelling')
     AND coalesce(r.cursor ->> 'step', '') NOT IN ('swap', 'swapped')
  RETURNING r.* INTO cancelled;
  IF cancelled.finished_at IS NULL THEN RETURN; END IF;
  -- As at every end of a run (finishRun of the program): the verify that was asked for meanwhile is requested, and what
  -- a reindex has built is given up, also an index whose creation is under way and that nobody has registered.
  IF cancelled.verify_after IS NOT NULL THEN
    INSERT INTO sync_run (kind, document, options, origin, truncated, requested_by, reason)
    VALUES ('verify', cancelled.document, '{"repair": "rewrite"}', cancelled.verify_after, cancelled.verify_after_truncated,
            'sluice', 'asked for while run ' || cancelled.id || ' was under way');
  END IF;
  INSERT INTO sync_index AS i (name, document, alias, uuid, role, hash, retired_at)
  SELECT built.name, cancelled.document, built.alias, '', 'retired', '', clock_timestamp()
    FROM jsonb_to_recordset(coalesce(cancelled.cursor #> '{reindex,indices}', '[]')) AS built (alias text, name text)
  ON CONFLICT (name) DO UPDATE SET role = 'retired', retired_at = clock_timestamp() WHERE i.role = 'building';
END $$;
COMMENT ON FUNCTION cancel_run IS 'Cancels a run: at once when nobody executes it, otherwise by asking its worker. Marks already written stay. Does nothing to a run that has ended.';
