-- Waiting for one's own write.
--
-- A token says "every transaction below this one", and is_synced() whether anything of those is still on its way. That
-- is enough, for whatever becomes of a mark keeps its origin, or the oldest of several: marks given back, parked,
-- released, turned into many or shed, failures, and the verify that an "everything" mark turns into. And each of
-- those steps is one transaction, so that a single snapshot always sees the change in one place at least.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE FUNCTION sync_server() RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
  -- A standby shows what it has replayed: the change that is waited for may not be among it.
  IF pg_is_in_recovery() THEN
    RAISE EXCEPTION 'this is a standby: tokens are made and asked about on the primary'
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN (SELECT concat_ws('-', c.system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid)
            FROM pg_control_system() c, pg_database d WHERE d.datname = current_database());
END $$;
COMMENT ON FUNCTION sync_server IS 'For tokens: system identifier, timeline and database. Transaction ids of two of these say nothing of each other.';

CREATE FUNCTION sync_token() RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
  -- VOLATILE, so that the snapshot is of this moment and not of the statement that calls. Its xmax is above every
  -- transaction that has ended, those with savepoints included (an origin is the id of the whole transaction). One's
  -- own may lie above it, so it is named apart.
  RETURN (
    SELECT concat_ws('-', sync_server(), greatest(x.max, x.own + 1), coalesce(x.own, 0),
                     (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
      FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS max,
                   pg_current_xact_id_if_assigned()::text::bigint AS own) x);
END $$;
COMMENT ON FUNCTION sync_token IS
  'Token for is_synced(): all that is committed now, and what this transaction has written and will write if it has written already. After a commit, or with the write: INSERT … RETURNING id, sync_token(). Of a prepared transaction: after COMMIT PREPARED.';

CREATE FUNCTION read_sync_token(token text, OUT below xid8, OUT own xid8, OUT made_at timestamptz)
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
  parts text[] := string_to_array(token, '-');
BEGIN
  IF token IS NULL OR token !~ '^\d{1,20}-[0-9A-F]{8}-\d{1,10}-\d{1,18}-\d{1,18}-\d{1,15}$' THEN
    RAISE EXCEPTION '% is no token of sync_token()', coalesce(to_json(left(token, 100))::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'sync_token() makes one, after the commit.';
  END IF;
  IF array_to_string(parts[1:3], '-') <> sync_server() THEN
    RAISE EXCEPTION 'the token was made on another server, timeline or database: it says nothing here'
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'After a failover or a restore, look whether the row is what you wrote, and make a new one.';
  END IF;
  below := parts[4]::xid8;
  own := nullif(parts[5], '0')::xid8;
  made_at := to_timestamp(parts[6]::bigint / 1000.0);
END $$;
COMMENT ON FUNCTION read_sync_token IS 'What a token says: transactions below this id; the one it was made in, if that had written; when.';

CREATE FUNCTION sync_document_names(document text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
BEGIN
  IF sync_document_names.document IS NULL THEN RETURN ARRAY(SELECT d.name FROM sync_document d); END IF;
  IF NOT EXISTS (SELECT FROM sync_document d WHERE d.name = sync_document_names.document) THEN
    RAISE EXCEPTION 'sluice has no document "%"', sync_document_names.document USING ERRCODE = 'undefined_object';
  END IF;
  RETURN ARRAY[sync_document_names.document];
END $$;
COMMENT ON FUNCTION sync_document_names IS 'The document, which has to be there; all for NULL.';

-- Looks at no table, so that it stays within the snapshot of the statement that asks. Inlined there.
CREATE FUNCTION stands_for(run sync_run, below xid8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT run.verify_after < below
      OR (run.kind = 'verify' AND run.options ->> 'repair' = 'rewrite' AND run.origin < below);
END;
COMMENT ON FUNCTION stands_for IS 'Whether a run under way stands for everything that changed below this transaction: it rewrites all, or a verify that does is to follow it.';

CREATE FUNCTION is_synced(token text, document text DEFAULT NULL) RETURNS boolean
-- SECURITY DEFINER: applications have no grant on our tables. VOLATILE, for a snapshot of this moment.
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
-- As in claim(): statistics of a queue are always wrong, and the right way is its primary key.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  names  text[] := sync_document_names(document);
  stated record;
  answer boolean;
BEGIN
  SELECT * INTO stated FROM read_sync_token(token);
  -- One statement, hence one snapshot. Marks of a claim count until it commits, for its DELETE is not visible before.
  SELECT NOT (
      -- Not committed yet, and nobody sees its marks. (Rolled back, there is nothing to wait for.)
      (stated.own IS NOT NULL AND NOT pg_visible_in_snapshot(stated.own, snapshot.now))
      -- A snapshot older than the token: REPEATABLE READ, or transaction ids that a crash took back.
      OR pg_snapshot_xmax(snapshot.now) < stated.below
      OR (current_setting('transaction_isolation') IN ('repeatable read', 'serializable')
          AND pg_snapshot_xmin(snapshot.now) < stated.below)
      -- The first of each lane is mostly the oldest: with a backlog before the token this answers at once.
      OR EXISTS (
           SELECT FROM unnest(names) AS d (name)
            CROSS JOIN (VALUES (0::smallint), (1::smallint), (2::smallint)) AS l (lane)
            CROSS JOIN LATERAL (SELECT q.origin FROM sync_queue q
                                 WHERE q.document = d.name AND q.lane = l.lane ORDER BY q.id LIMIT 1) AS first
            WHERE first.origin < stated.below)
      -- An "everything" mark becomes a verify, or one that is to follow the run under way.
      OR EXISTS (
           SELECT FROM sync_run r
            WHERE r.document = ANY (names) AND r.state IN ('requested', 'running', 'cancelling')
              AND stands_for(r, stated.below))
      OR EXISTS (
           SELECT FROM sync_failed f
            WHERE f.state = 'retrying' AND f.due_at > '-infinity' AND f.document = ANY (names)
              AND f.origin < stated.below)
      -- Derived marks have young ids and old origins, so a yes has looked at every mark: 0.3 ms when there are few, a second
      -- with a million that are younger than the token, 0.1 s where 100,000 of them are of this document.
      OR EXISTS (
           SELECT FROM unnest(names) AS d (name)
            CROSS JOIN LATERAL (SELECT FROM sync_queue q
                                 WHERE q.document = d.name AND q.origin < stated.below LIMIT 1) AS older))
    INTO answer
    FROM pg_current_snapshot() AS snapshot (now);
  RETURN answer;
END $$;
COMMENT ON FUNCTION is_synced IS
  'Whether Elasticsearch has answered for everything that the token stands for (of one document, or of all). It may say no too long, and never yes too early; dead letters count as answered, see sync_dead().';

CREATE FUNCTION sync_dead(token text, only_document text DEFAULT NULL)
RETURNS TABLE (document text, id text, index text, type text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  names  text[] := sync_document_names(only_document);
  stated record;
BEGIN
  SELECT * INTO stated FROM read_sync_token(token);
  -- A batch may be faster than the application that makes its token after the commit: hence the minute.
  stated.made_at := stated.made_at - interval '1 minute';
  RETURN QUERY
    SELECT f.document, f.id, nullif(f.target, ''), f.type, f.reason
      FROM sync_failed f
     WHERE f.state = 'dead' AND f.document = ANY (names) AND f.origin < stated.below
       AND f.last_failed_at > stated.made_at
    UNION ALL
    SELECT r.document, NULL, NULL, 'verify_' || r.state, coalesce(r.error, r.reason)
      FROM sync_run r
     WHERE r.kind = 'verify' AND r.state IN ('failed', 'cancelled') AND r.options ->> 'repair' = 'rewrite'
       AND r.document = ANY (names) AND r.origin < stated.below AND r.finished_at > stated.made_at;
END $$;
COMMENT ON FUNCTION sync_dead IS
  'After is_synced() has said yes: what of the token was given up. Dead letters whose oldest change is below the token and whose last attempt was at most a minute before it was made, or later; they may be of others. id is NULL where a verify that stood for everything of the document failed or was cancelled. index is NULL where the document could not be read.';

CREATE FUNCTION sync_pending(token text, only_document text DEFAULT NULL)
RETURNS TABLE (document text, state text, attended boolean, keys bigint, parked bigint, retrying bigint, run_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  names  text[] := sync_document_names(only_document);
  stated record;
BEGIN
  SELECT * INTO stated FROM read_sync_token(token);
  RETURN QUERY
    SELECT d.name, d.state,
           EXISTS (SELECT FROM sync_worker w
                    WHERE w.state IN ('running', 'waiting') AND w.seen_at > clock_timestamp() - interval '15 seconds'
                      AND w.documents ->> d.name = d.hash),
           q.keys, q.parked, f.retrying, r.id
      FROM sync_document d
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(coalesce(cardinality(m.keys), 1)) FILTER (WHERE m.lane < 2), 0)::bigint AS keys,
                  coalesce(sum(coalesce(cardinality(m.keys), 1)) FILTER (WHERE m.lane = 2), 0)::bigint AS parked
             FROM sync_queue m WHERE m.document = d.name AND m.origin < stated.below) q
     CROSS JOIN LATERAL (
           SELECT count(*) AS retrying FROM sync_failed x
            WHERE x.document = d.name AND x.state = 'retrying' AND x.origin < stated.below) f
      LEFT JOIN sync_run r
        ON r.document = d.name AND r.state IN ('requested', 'running', 'cancelling')
       AND stands_for(r, stated.below)
     WHERE d.name = ANY (names) AND (q.keys + q.parked + f.retrying > 0 OR r.id IS NOT NULL)
     ORDER BY d.name;
END $$;
COMMENT ON FUNCTION sync_pending IS
  'What is_synced() waits for, by document: keys, parked keys, failures being retried, a run. attended: a living daemon works on it. Counts the marks of the queue: half a second with a million of them. No row while the transaction of the token is open.';
