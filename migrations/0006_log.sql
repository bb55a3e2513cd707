-- The log with its partitions and rollup, and lag from its histogram.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE TABLE sync_log (
  at        timestamptz NOT NULL,
  worker    text        NOT NULL,
  document  text        NOT NULL,
  index     text        NOT NULL,
  operation text        NOT NULL CHECK (operation IN ('index', 'delete', 'none')),
  outcome   text        NOT NULL CHECK (outcome IN ('done', 'superseded', 'retry', 'dead', 'blocked')),
  count     bigint      NOT NULL,
  bytes     bigint      NOT NULL,
  lag_ms    double precision,
  took_ms   double precision NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX sync_log_at ON sync_log USING brin (at);
COMMENT ON TABLE  sync_log IS 'Outcomes, at most one row per second, worker, document, index, operation and outcome. One partition a day (UTC), dropped and not deleted.';
COMMENT ON COLUMN sync_log.operation IS 'none: the document could not be read or encoded.';
COMMENT ON COLUMN sync_log.lag_ms    IS 'Average milliseconds from mark to answer.';
COMMENT ON COLUMN sync_log.took_ms   IS 'Milliseconds spent in bulk requests.';

CREATE TABLE sync_rollup (
  minute     timestamptz NOT NULL,
  document   text        NOT NULL,
  worker     text        NOT NULL,
  indexed    bigint      NOT NULL DEFAULT 0,
  deleted    bigint      NOT NULL DEFAULT 0,
  superseded bigint      NOT NULL DEFAULT 0,
  retried    bigint      NOT NULL DEFAULT 0,
  dead       bigint      NOT NULL DEFAULT 0,
  bytes      bigint      NOT NULL DEFAULT 0,
  batches    bigint      NOT NULL DEFAULT 0,
  lag_sum_ms double precision NOT NULL DEFAULT 0,
  lag_counts bigint[]    NOT NULL,
  PRIMARY KEY (minute, document, worker)
) WITH (fillfactor = 50);
COMMENT ON TABLE  sync_rollup IS 'Outcomes per minute, document and worker; older than a day, per hour (cleanup_old_sync_records). The views read this.';
COMMENT ON COLUMN sync_rollup.lag_counts IS 'Histogram of lag (mark to answer): element n counts keys up to lag_bounds()[n] milliseconds, the last element all above.';

CREATE FUNCTION create_log_partition(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
SET lock_timeout = '2s'
AS $$
DECLARE
  partition text := 'sync_log_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF to_regclass(partition) IS NOT NULL THEN RETURN false; END IF;
  -- What ATTACH takes: it excludes a second creator and lets writers pass. CREATE … PARTITION OF would lock them out.
  LOCK TABLE ONLY sync_log IN SHARE UPDATE EXCLUSIVE MODE;
  IF to_regclass(partition) IS NOT NULL THEN RETURN false; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE sync_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
  EXECUTE format('ALTER TABLE sync_log ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition,
                 day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
  RETURN true;
END $$;
COMMENT ON FUNCTION create_log_partition IS 'Creates the partition of sync_log for a day (UTC); false when it is there.';

CREATE FUNCTION ensure_log_partitions(days_ahead integer DEFAULT 2) RETURNS integer
LANGUAGE sql
BEGIN ATOMIC
  SELECT (count(*) FILTER (WHERE create_log_partition((clock_timestamp() AT TIME ZONE 'UTC')::date + n)))::integer
    FROM generate_series(0, days_ahead) AS n;
END;
COMMENT ON FUNCTION ensure_log_partitions IS 'Creates the partitions of sync_log for today and some days ahead; returns how many were missing.';

CREATE FUNCTION drop_old_log_partitions(days integer DEFAULT 7) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
-- DROP locks out the writers of sync_log: better tomorrow than waiting behind somebody's long query.
SET lock_timeout = '500ms'
AS $$
DECLARE
  old     record;
  dropped integer := 0;
BEGIN
  IF days IS NULL OR days < 0 THEN
    RAISE EXCEPTION 'days must be 0 or more' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR old IN
    SELECT c.relname
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'sync_log'::regclass
       AND c.relname ~ '^sync_log_\d{8}$'
       AND to_date(right(c.relname, 8), 'YYYYMMDD') < (clock_timestamp() AT TIME ZONE 'UTC')::date - days
     ORDER BY c.relname
  LOOP
    BEGIN
      EXECUTE format('DROP TABLE IF EXISTS %I', old.relname);
      dropped := dropped + 1;
    EXCEPTION WHEN lock_not_available THEN
      RAISE WARNING 'sluice: % is in use and stays until the next cleanup', old.relname;
    END;
  END LOOP;
  RETURN dropped;
END $$;
COMMENT ON FUNCTION drop_old_log_partitions IS 'Drops partitions of sync_log older than that many days; returns how many.';

CREATE FUNCTION log_entries(entries jsonb)
RETURNS TABLE (index text, operation text, outcome text, count bigint, bytes bigint, lag_ms double precision, took_ms double precision)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT e.index, e.operation, e.outcome, e.count, e.bytes, e.lag_sum_ms / nullif(e.count, 0), e.took_ms
    FROM jsonb_to_recordset(entries) AS e (index text, operation text, outcome text, count bigint, bytes bigint,
                                           lag_sum_ms double precision, took_ms double precision);
END;
COMMENT ON FUNCTION log_entries IS 'Outcomes as the worker adds them up, as rows of sync_log.';

CREATE FUNCTION write_log(worker text, document text, entries jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
SET lock_timeout = '2s'
AS $$
DECLARE
  -- Fixed, so that a second attempt meets the partition that it made, also at midnight.
  moment timestamptz := clock_timestamp();
BEGIN
  BEGIN
    INSERT INTO sync_log SELECT moment, worker, document, e.* FROM log_entries(entries) AS e;
  EXCEPTION WHEN check_violation THEN
    PERFORM create_log_partition((moment AT TIME ZONE 'UTC')::date);
    INSERT INTO sync_log SELECT moment, worker, document, e.* FROM log_entries(entries) AS e;
  END;
EXCEPTION WHEN OTHERS THEN
  -- A batch is settled, log or no log: its documents are in Elasticsearch, and doing it all again would help nobody.
  RAISE WARNING 'sluice: sync_log was not written: %', SQLERRM;
END $$;
COMMENT ON FUNCTION write_log IS 'Writes to sync_log, creates a missing partition on the spot, and never fails.';

CREATE FUNCTION cleanup_old_sync_records(days integer DEFAULT 7) RETURNS TABLE (records text, removed bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  IF days IS NULL OR days < 0 THEN
    RAISE EXCEPTION 'days must be 0 or more' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- One at a time: two that delete the same rows in different orders would deadlock.
  PERFORM pg_advisory_xact_lock(731058394, hashtext('sync_run'::regclass::oid::text));

  -- Eight days at least: sync_stats shows the last week.
  records := 'sync_rollup';
  DELETE FROM sync_rollup WHERE minute < clock_timestamp() - make_interval(days => greatest(days, 8));
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN NEXT;
  -- Minutes are of interest for a day; those before it become hours (by the time zone of the session, as in sync_hourly), or a
  -- month of them would take the views seconds.
  -- Nobody else writes to minutes that are over.
  WITH minutes AS (
    DELETE FROM sync_rollup u
     WHERE u.minute < date_trunc('hour', clock_timestamp() - interval '1 day')
       AND EXISTS (SELECT FROM sync_rollup m
                    WHERE m.minute > date_trunc('hour', u.minute)
                      AND m.minute < date_trunc('hour', u.minute) + interval '1 hour')
    RETURNING u.*
  )
  INSERT INTO sync_rollup
    (minute, document, worker, indexed, deleted, superseded, retried, dead, bytes, batches, lag_sum_ms, lag_counts)
  SELECT date_trunc('hour', m.minute), m.document, m.worker, sum(m.indexed), sum(m.deleted), sum(m.superseded), sum(m.retried),
         sum(m.dead), sum(m.bytes), sum(m.batches), sum(m.lag_sum_ms), sum_counts(m.lag_counts)
    FROM minutes m GROUP BY 1, 2, 3;

  -- The last one of each kind stays: when a document was last verified is worth knowing for longer.
  records := 'sync_run';
  DELETE FROM sync_run r
   WHERE r.finished_at < clock_timestamp() - make_interval(days => days)
     AND EXISTS (SELECT FROM sync_run later
                  WHERE later.document = r.document AND later.kind = r.kind AND later.id > r.id
                    AND later.finished_at IS NOT NULL);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN NEXT;

  records := 'sync_audit';
  DELETE FROM sync_audit WHERE at < clock_timestamp() - make_interval(days => days);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN NEXT;

  records := 'sync_worker';
  DELETE FROM sync_worker WHERE seen_at < clock_timestamp() - interval '1 day';
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN NEXT;

  records := 'sync_alert';
  DELETE FROM sync_alert WHERE cleared_at < clock_timestamp() - make_interval(days => days);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN NEXT;

  -- Last: from here to the commit the writers of sync_log wait.
  records := 'sync_log partitions';
  removed := drop_old_log_partitions(days);
  RETURN NEXT;
END $$;
COMMENT ON FUNCTION cleanup_old_sync_records IS 'Removes log, rollups, finished runs, audit, vanished workers and cleared alerts older than that many days, and makes hours of the rollup''s minutes that are older than a day. Daemons do it daily.';

-- Lag -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION lag_bounds() RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT ARRAY[5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 60000, 300000, 1800000, 7200000]::double precision[];
END;
COMMENT ON FUNCTION lag_bounds IS 'Upper bounds of the lag histogram in sync_rollup, in milliseconds. Changed only together with LAG_BOUNDS_MS of the program.';

-- A loop takes a third of what unnest and array_agg take.
CREATE FUNCTION add_counts(a bigint[], b bigint[]) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT
AS $$
BEGIN
  FOR n IN 1 .. cardinality(b) LOOP
    a[n] := coalesce(a[n], 0) + coalesce(b[n], 0);
  END LOOP;
  RETURN a;
END $$;
COMMENT ON FUNCTION add_counts IS 'Adds two histograms, element by element.';

CREATE AGGREGATE sum_counts(bigint[]) (sfunc = add_counts, stype = bigint[], parallel = safe);
COMMENT ON AGGREGATE sum_counts(bigint[]) IS 'Adds histograms, element by element.';

CREATE FUNCTION lag_percentile(counts bigint[], share double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT
AS $$
DECLARE
  bounds double precision[] := lag_bounds();
  total  bigint             := 0;
  upto   bigint             := 0;  -- keys of the elements before
  low    double precision   := 0;
  count  bigint;
BEGIN
  FOR n IN 1 .. coalesce(cardinality(counts), 0) LOOP
    total := total + coalesce(counts[n], 0);
  END LOOP;
  FOR n IN 1 .. coalesce(cardinality(counts), 0) LOOP
    count := coalesce(counts[n], 0);
    IF count > 0 AND upto + count >= share * total THEN
      RETURN low + (coalesce(bounds[n], low) - low) * (share * total - upto) / count;
    END IF;
    upto := upto + count;
    low := coalesce(bounds[n], low);
  END LOOP;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION lag_percentile IS 'Milliseconds within which that share of a lag histogram lies, interpolated inside its element; above the last bound, that bound. NULL when it is empty.';
