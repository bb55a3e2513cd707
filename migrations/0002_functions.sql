-- What sluice and its operators call. Every plpgsql function is pinned to our schema with pg_temp last, so that
-- neither a session's search_path nor a temporary table named like one of ours can divert it. The bodies between
-- BEGIN ATOMIC and END were resolved when they were created and cannot be diverted at all.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- Keys ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION encode_key(VARIADIC parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN cardinality(parts) = 1 THEN parts[1] ELSE to_jsonb(parts)::text END;
END;
COMMENT ON FUNCTION encode_key IS 'Key tuple of its parts: one part is its text, several are a JSON array as text. encode_key(''ch'', ''12'') is ''["ch", "12"]''.';

-- Versions ------------------------------------------------------------------------------------------------------

CREATE FUNCTION raise_version_floor(at_least bigint DEFAULT 0) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
  wanted bigint;
  last   bigint;
BEGIN
  -- Reading the sequence and setting it are two steps: two at once could set it back below a number just drawn.
  PERFORM pg_advisory_xact_lock(hashtext('sluice version floor'), hashtext(current_schema()));
  wanted := greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, at_least);
  PERFORM set_config('synchronous_commit', 'on', true);
  SELECT s.last_value INTO last FROM sync_version s;
  IF last < wanted THEN
    PERFORM setval('sync_version', wanted);
    -- What is skipped here nobody has drawn: a document with such a version tells of another database. Sixteen numbers
    -- are left out, for others may have drawn between the two statements.
    IF wanted - last > 16 THEN
      UPDATE sync_identity i
         SET skipped = (SELECT range_agg(n.r)
                          FROM (SELECT r FROM unnest(i.skipped + int8multirange(int8range(last + 17, wanted, '[]'))) AS r
                                 ORDER BY r DESC LIMIT 20) n);
    END IF;
  END IF;
  RETURN (SELECT last_value FROM sync_version);
END $$;
COMMENT ON FUNCTION raise_version_floor IS 'Moves sync_version up to the clock in microseconds, or to at_least where that is more; never down, and notes what it skipped. Returns its value (invariant 5).';

-- The queue -----------------------------------------------------------------------------------------------------

CREATE FUNCTION claim(document text, lane smallint, max_keys integer, front bigint DEFAULT 0) RETURNS SETOF sync_queue
LANGUAGE plpgsql SET search_path FROM CURRENT
-- The one right plan is to walk the primary key. Statistics of a queue are always wrong (it was empty when they
-- were taken, or full): a sort of a million marks takes 500 ms where the walk takes 3.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
  mark    record;
  chunk   tid[]   := '{}';
  pending integer := 0;  -- keys of the chunk
  locked  tid[]   := '{}';
  claimed integer := 0;  -- keys of what is locked
BEGIN
  -- Walks without locking and locks only what fits. A locking walk has to lock a mark to learn that it does not
  -- fit, and keeps it from other workers until this batch ends; a LIMIT on marks bounds no keys.
  FOR mark IN
    SELECT q.ctid AS tid, greatest(coalesce(cardinality(q.keys), 1), 1) AS size
      FROM sync_queue q WHERE q.document = claim.document AND q.lane = claim.lane AND q.id >= claim.front ORDER BY q.id
  LOOP
    IF claimed + pending > 0 AND claimed + pending + mark.size > max_keys THEN
      SELECT locked || coalesce(array_agg(m.tid), '{}'), claimed + coalesce(sum(m.size), 0) INTO locked, claimed
        FROM (SELECT q.ctid AS tid, greatest(coalesce(cardinality(q.keys), 1), 1) AS size
                FROM sync_queue q
               -- document and lane again: in between, vacuum may have given the place to another mark.
               WHERE q.ctid = ANY (chunk) AND q.document = claim.document AND q.lane = claim.lane
                 FOR UPDATE SKIP LOCKED) m;
      chunk := '{}';
      pending := 0;
      -- Others hold (some of) the chunk: the walk goes on behind it, until nothing more fits.
      EXIT WHEN claimed > 0 AND claimed + mark.size > max_keys;
    END IF;
    chunk := chunk || mark.tid;
    pending := pending + mark.size;
  END LOOP;
  RETURN QUERY
    DELETE FROM sync_queue q
     WHERE q.ctid = ANY (locked || ARRAY(
             SELECT q.ctid FROM sync_queue q
              WHERE q.ctid = ANY (chunk) AND q.document = claim.document AND q.lane = claim.lane
                FOR UPDATE SKIP LOCKED))
    RETURNING q.*;
END $$;
COMMENT ON FUNCTION claim IS 'Takes the oldest free marks of a document and lane out of the queue: up to max_keys keys, at least one mark, from the id front on. They are back if the transaction does not commit.';

CREATE FUNCTION pending_lanes(documents text[], lanes smallint[], fronts bigint[])
RETURNS TABLE (document text, lane smallint, front bigint, last_id bigint)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_variable
BEGIN
  FOR n IN 1 .. cardinality(documents) LOOP
    document := documents[n];
    lane := lanes[n];
    SELECT q.id INTO front FROM sync_queue q
     WHERE q.document = documents[n] AND q.lane = lanes[n] AND q.id >= fronts[n] ORDER BY q.id LIMIT 1;
    CONTINUE WHEN NOT FOUND;
    last_id := (SELECT last_value FROM sync_queue_id_seq);
    RETURN NEXT;
  END LOOP;
END $$;
COMMENT ON FUNCTION pending_lanes IS 'Lanes with marks, those under way included: the id of the first mark of each from its front on, and the last id that was given out.';

-- Keys parked for an index that takes no writes: marks of lane 2 with a target. Those without one are the brake's, and
-- none of these functions touches them. As in claim(), statistics cannot be trusted: the way is the partial index.

CREATE FUNCTION parked_targets() RETURNS TABLE (document text, target text, registered boolean, released_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
  mark record;
  last text := '';
BEGIN
  -- One probe for each: DISTINCT would read all marks.
  LOOP
    SELECT q.document, q.target INTO mark FROM sync_queue q
     WHERE q.lane = 2 AND q.target > last ORDER BY q.target LIMIT 1;
    EXIT WHEN NOT FOUND;
    last := mark.target;
    RETURN QUERY SELECT mark.document, mark.target, x.name IS NOT NULL, x.released_at
                   FROM (VALUES (true)) AS one
                   LEFT JOIN sync_index x ON x.name = mark.target AND x.role <> 'retired';
  END LOOP;
END $$;
COMMENT ON FUNCTION parked_targets IS 'Indices that parked keys wait for, and whether each is still written to.';

CREATE FUNCTION try_target(target text) RETURNS SETOF sync_queue
LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    DELETE FROM sync_queue q
     WHERE q.ctid = ANY (ARRAY(
             SELECT p.ctid FROM sync_queue p
              WHERE p.lane = 2 AND p.target = try_target.target ORDER BY p.id LIMIT 1
                FOR UPDATE SKIP LOCKED))
    RETURNING q.*;
END $$;
COMMENT ON FUNCTION try_target IS 'Takes the oldest free mark that waits for an index out of the queue, for a trial of that index. It is back if the transaction does not commit.';

CREATE FUNCTION release_target(target text, max_keys integer) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
  chosen   tid[];
  released bigint;
BEGIN
  -- Marks that another daemon is just moving, or tries, are skipped. What is locked here and does not fit stays locked
  -- until this statement ends.
  SELECT coalesce(array_agg(c.tid), '{}'), coalesce(sum(c.size), 0) INTO chosen, released
    FROM (SELECT f.tid, f.size, sum(f.size) OVER (ORDER BY f.id) - f.size AS before
            FROM (SELECT q.ctid AS tid, q.id, coalesce(cardinality(q.keys), 1) AS size FROM sync_queue q
                   WHERE q.lane = 2 AND q.target = release_target.target
                   ORDER BY q.id LIMIT least(max_keys, 2000)
                     FOR UPDATE SKIP LOCKED) f) c
   WHERE c.before < max_keys;
  IF released > 0 THEN
    -- The marks keep their age and origin. Those of a run keep to the bulk lane, where the run counts them.
    UPDATE sync_queue q SET lane = CASE WHEN released > 100 OR q.run_id IS NOT NULL THEN 1 ELSE 0 END
     WHERE q.ctid = ANY (chosen);
    UPDATE sync_index x SET released_at = clock_timestamp() WHERE x.name = release_target.target;
  END IF;
  RETURN released;
END $$;
COMMENT ON FUNCTION release_target IS 'Puts keys that wait for an index back into their lane: the interactive one for up to 100, else bulk. About max_keys at a time; returns how many.';

CREATE FUNCTION forget_target(target text) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
  forgotten bigint;
BEGIN
  WITH gone AS (
    DELETE FROM sync_queue q
     WHERE q.ctid = ANY (ARRAY(
             SELECT p.ctid FROM sync_queue p
              WHERE p.lane = 2 AND p.target = forget_target.target
                AND NOT EXISTS (SELECT FROM sync_index x WHERE x.name = forget_target.target AND x.role <> 'retired')
              ORDER BY p.id LIMIT 2000
                FOR UPDATE OF p SKIP LOCKED))
    RETURNING cardinality(q.keys) AS keys
  )
  SELECT coalesce(sum(g.keys), 0) INTO forgotten FROM gone g;
  RETURN forgotten;
END $$;
COMMENT ON FUNCTION forget_target IS 'Drops marks that wait for an index which is written to no more: there is nothing left to do for it. Up to 2,000 marks at a time; returns the number of keys.';

CREATE FUNCTION queued_keys(document text, lane smallint, OUT keys bigint, OUT targeted bigint, OUT oldest timestamptz, OUT exact boolean)
-- SECURITY DEFINER: sync_stats calls it, which people read who have no grant on our tables. JIT would take longer than it all.
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  bound  CONSTANT integer := 5000;  -- marks that are counted one by one
  places CONSTANT integer := 100;   -- where to look at the rest
  marks    bigint;
  lowest   bigint;
  highest  bigint;
  last     bigint;
  width    double precision;  -- ids from one place to the next
  span     double precision;  -- ids that are looked at there
  more     record;
BEGIN
  SELECT count(*), coalesce(sum(m.size), 0), coalesce(sum(m.size) FILTER (WHERE m.target IS NOT NULL), 0), min(m.created_at),
         min(m.id), max(m.id)
    INTO marks, keys, targeted, oldest, lowest, highest
    FROM (SELECT q.id, coalesce(cardinality(q.keys), 1) AS size, q.target, q.created_at FROM sync_queue q
           WHERE q.document = queued_keys.document AND q.lane = queued_keys.lane ORDER BY q.id LIMIT bound) m;
  exact := marks < bound;
  IF exact THEN RETURN; END IF;
  SELECT q.id INTO last FROM sync_queue q
   WHERE q.document = queued_keys.document AND q.lane = queued_keys.lane ORDER BY q.id DESC LIMIT 1;
  exact := last = highest;
  IF exact THEN RETURN; END IF;

  -- To count a million takes 300 ms, and statistics of a queue are always wrong. Ids are dense or thin by what else was
  -- written meanwhile, but seldom so from one to the next: some twenty marks at each of a hundred places say how many there
  -- are in between. Where marks come thicker than they did at first, 200 end the look.
  width := (last - highest) / places::double precision;
  span := least(width, greatest(1, ceil(20.0 * (highest - lowest + 1) / marks)));
  SELECT coalesce(sum(l.keys * l.share), 0) AS keys, coalesce(sum(l.targeted * l.share), 0) AS targeted, min(l.oldest) AS oldest
    INTO more
    FROM generate_series(0, places - 1) AS p (n)
   CROSS JOIN LATERAL (
         SELECT sum(m.size) AS keys, sum(m.size) FILTER (WHERE m.target IS NOT NULL) AS targeted, min(m.created_at) AS oldest,
                width / CASE WHEN count(*) < 200 THEN span ELSE max(m.id) - highest - p.n * width END AS share
           FROM (SELECT q.id, coalesce(cardinality(q.keys), 1) AS size, q.target, q.created_at FROM sync_queue q
                  WHERE q.document = queued_keys.document AND q.lane = queued_keys.lane
                    AND q.id > (highest + p.n * width)::bigint AND q.id <= (highest + p.n * width + span)::bigint
                  ORDER BY q.id LIMIT 200) m) l;
  keys := keys + more.keys;
  targeted := targeted + more.targeted;
  oldest := least(oldest, more.oldest);
END $$;
COMMENT ON FUNCTION queued_keys IS
  'Keys that wait in a lane of a document, an "everything" mark as one; targeted: those of marks for one index; oldest: when the oldest mark was written. Counted up to 5,000 marks; beyond that exact is false, and all are estimated from marks here and there, mostly to a few percent.';

CREATE FUNCTION enqueue(document text, VARIADIC ids text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM sync_document d WHERE d.name = enqueue.document) THEN
    RAISE EXCEPTION 'sluice has no document "%"', enqueue.document
      USING ERRCODE = 'undefined_object', HINT = 'SELECT name FROM sync_document lists them.';
  END IF;
  IF array_position(ids, NULL) IS NOT NULL THEN
    RAISE EXCEPTION 'a key cannot be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  INSERT INTO sync_queue (document, lane, keys, op)
  SELECT enqueue.document, CASE WHEN cardinality(ids) > 100 THEN 1 ELSE 0 END, array_agg(k.key ORDER BY k.n), 'enqueue'
    FROM unnest(ids) WITH ORDINALITY AS k (key, n)
   GROUP BY (k.n - 1) / 500;
  RETURN coalesce(cardinality(ids), 0);
END $$;
COMMENT ON FUNCTION enqueue IS 'Marks keys of a document to be indexed anew. A key of one column is its text; of several, encode_key(…). Many at once: enqueue(document, VARIADIC array).';

CREATE FUNCTION shed(document text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  replaced bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM sync_document d WHERE d.name = shed.document) THEN
    RAISE EXCEPTION 'sluice has no document "%"', shed.document
      USING ERRCODE = 'undefined_object', HINT = 'SELECT name FROM sync_document lists them.';
  END IF;
  -- Why nothing is lost. A mark is taken out only when it is committed and nobody holds it, and in the same
  -- transaction an "everything" mark takes its place, so there is no moment at which neither is there. The change that
  -- a mark stood for was committed with it, hence before ours; the verify that comes of the "everything" mark is
  -- requested after ours, waits for the claims that are older than itself, and reads every row after that: it sees
  -- that change or a later one. Rows that went away are found by listing the index.
  -- - Marks that a claim holds are skipped, not waited for. They are settled with it, or back when it is given up.
  -- - Marks written meanwhile are not seen, and stay.
  -- - Marks without keys stay: they are few, and what they explain (a TRUNCATE) would be lost.
  -- - Marks of a run stay: the run keeps their number bounded, and waits for them by its id.
  -- - Parked marks (lane 2) stay: they wait for somebody's decision, or for an index.
  -- What is given up is why a document goes: to the mass-delete brake, deletes that the verify finds are unexplained.
  -- The oldest origin and moment are kept, so that whoever waits for one of these changes is not told yes too early.
  WITH free AS (
    SELECT q.ctid AS tid FROM sync_queue q
     WHERE q.document = shed.document AND q.lane IN (0, 1) AND q.keys IS NOT NULL AND q.run_id IS NULL
       FOR UPDATE SKIP LOCKED
  ), taken AS (
    DELETE FROM sync_queue q USING free f WHERE q.ctid = f.tid RETURNING q.origin, q.created_at
  ), written AS (
    INSERT INTO sync_queue (document, lane, keys, op, origin, created_at)
    SELECT shed.document, 1, NULL, 'shed', min(t.origin), min(t.created_at) FROM taken t HAVING count(*) > 0
  )
  SELECT count(*) INTO replaced FROM taken;
  RETURN replaced;
END $$;
COMMENT ON FUNCTION shed IS
  'Replaces the backlog of a document by one "everything" mark and returns how many marks it stood for. A verify with repair looks at every row and every indexed document then: worth it where the backlog is several times the table.';

CREATE FUNCTION retry_delay(attempts integer) RETURNS interval
LANGUAGE sql VOLATILE PARALLEL SAFE
BEGIN ATOMIC
  -- 1 s, 2 s, 4 s … up to 10 minutes, less a random part of up to a quarter: failures of one moment spread out.
  SELECT make_interval(secs => least(600, power(2, least(greatest(attempts, 1), 20) - 1)) * (1 - random() / 4));
END;
COMMENT ON FUNCTION retry_delay IS 'Pause after that many failed attempts.';

-- Failures ------------------------------------------------------------------------------------------------------

CREATE FUNCTION lock_failures(document text, shared boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
  place integer := hashtext(to_jsonb(ARRAY['sync_failed'::regclass::oid::text, document])::text);
BEGIN
  IF shared THEN
    PERFORM pg_advisory_xact_lock_shared(731058393, place);
  ELSE
    PERFORM pg_advisory_xact_lock(731058393, place);
  END IF;
END $$;
COMMENT ON FUNCTION lock_failures IS 'Until the transaction ends: alone, only it changes the failures of that document; shared, nobody does so alone meanwhile.';

CREATE FUNCTION lock_chosen_failures(document text, keys text[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  name text;
BEGIN
  IF lock_chosen_failures.document IS NOT NULL AND NOT EXISTS (
       SELECT FROM sync_document d WHERE d.name = lock_chosen_failures.document) THEN
    RAISE EXCEPTION 'sluice has no document "%"', lock_chosen_failures.document
      USING ERRCODE = 'undefined_object', HINT = 'SELECT name FROM sync_document lists them.';
  END IF;
  IF array_position(keys, NULL) IS NOT NULL THEN
    RAISE EXCEPTION 'a key cannot be null'
      USING ERRCODE = 'null_value_not_allowed', HINT = 'To choose by type, name all three: document => ''city'', keys => NULL, type => ''…''.';
  END IF;
  -- A settlement holds the lock of one document and waits for no other, so any fixed order will do.
  FOR name IN
    SELECT DISTINCT f.document FROM sync_failed f
     WHERE lock_chosen_failures.document IS NULL OR f.document = lock_chosen_failures.document
     ORDER BY 1
  LOOP
    PERFORM lock_failures(name);
  END LOOP;
END $$;
COMMENT ON FUNCTION lock_chosen_failures IS 'For retry_failed and discard_failed: checks their arguments, and keeps settlements from changing the same rows.';

CREATE FUNCTION retry_failed(document text, keys text[], type text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  marked bigint;
BEGIN
  -- A statement of its own: the next one has to see what the last settlement wrote.
  PERFORM lock_chosen_failures(retry_failed.document, retry_failed.keys);
  WITH chosen AS (
    SELECT f.document, f.key, f.target, f.origin,
           -- An index that is written to no more gives no outcome, and the row would be retried for ever: it goes,
           -- and its key is tried for the indices of today.
           f.target <> '' AND NOT EXISTS (
             SELECT FROM sync_index x WHERE x.name = f.target AND x.document = f.document AND x.role <> 'retired') AS gone
      FROM sync_failed f
     WHERE (retry_failed.document IS NULL OR f.document = retry_failed.document)
       AND (retry_failed.keys IS NULL OR f.key = ANY (retry_failed.keys))
       AND (retry_failed.type IS NULL OR f.type = retry_failed.type)
  ), kept AS (
    -- The row stays until the outcome is known. Due in ten minutes, as those that a daemon marks again: no second mark.
    UPDATE sync_failed f
       SET state = 'retrying', attempts = 0, due_at = clock_timestamp() + interval '10 minutes'
      FROM chosen c
     WHERE NOT c.gone AND (f.document, f.key, f.target) = (c.document, c.key, c.target)
  ), removed AS (
    DELETE FROM sync_failed f USING chosen c
     WHERE c.gone AND (f.document, f.key, f.target) = (c.document, c.key, c.target)
  ), wanted AS (
    SELECT c.document, c.key, CASE WHEN c.gone THEN '' ELSE c.target END AS target, min(c.origin) AS origin
      FROM chosen c GROUP BY 1, 2, 3
  ), grouped AS (
    SELECT w.*, count(*) OVER (PARTITION BY w.document) AS of_document,
           (row_number() OVER (PARTITION BY w.document, w.target, w.origin ORDER BY w.key) - 1) / 500 AS chunk
      FROM wanted w
  ), written AS (
    INSERT INTO sync_queue (document, lane, keys, op, origin, target)
    SELECT g.document, CASE WHEN g.of_document > 100 THEN 1 ELSE 0 END, array_agg(g.key ORDER BY g.key), 'retry',
           g.origin, nullif(g.target, '')
      FROM grouped g
     GROUP BY g.document, g.of_document, g.target, g.origin, g.chunk
  )
  SELECT count(DISTINCT (c.document, c.key)) INTO marked FROM chosen c;
  RETURN marked;
END $$;
COMMENT ON FUNCTION retry_failed(text, text[], text) IS
  'Marks failed documents again, dead ones too, with fresh attempts, and returns how many. What is NULL chooses all: retry_failed(document => ''city'', keys => NULL, type => ''mapper_parsing_exception'').';

CREATE FUNCTION retry_failed(document text DEFAULT NULL, VARIADIC keys text[] DEFAULT NULL) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
  SELECT retry_failed(document, keys, NULL::text);
END;
COMMENT ON FUNCTION retry_failed(text, text[]) IS
  'Marks failed documents again, dead ones too, with fresh attempts, and returns how many: retry_failed() all, retry_failed(''city'') those of a document, retry_failed(''city'', ''42'', ''43'') some, retry_failed(''city'', VARIADIC ARRAY(SELECT …)) those that a query finds. A key of one column is its text; of several, encode_key(…).';

CREATE FUNCTION discard_failed(document text, keys text[], type text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
  forgotten bigint;
BEGIN
  PERFORM lock_chosen_failures(discard_failed.document, discard_failed.keys);
  -- Dead ones only: what is still being retried may yet succeed, and forgetting it would lose a change.
  WITH gone AS (
    DELETE FROM sync_failed f
     WHERE f.state = 'dead'
       AND (discard_failed.document IS NULL OR f.document = discard_failed.document)
       AND (discard_failed.keys IS NULL OR f.key = ANY (discard_failed.keys))
       AND (discard_failed.type IS NULL OR f.type = discard_failed.type)
    RETURNING f.document, f.key
  )
  SELECT count(DISTINCT (g.document, g.key)) INTO forgotten FROM gone g;
  RETURN forgotten;
END $$;
COMMENT ON FUNCTION discard_failed(text, text[], text) IS
  'Forgets dead letters and returns how many. What is NULL chooses all: discard_failed(document => ''city'', keys => NULL, type => ''other''). The index keeps what it has of them (an older copy, or nothing) until the row changes again. Those still being retried stay.';

CREATE FUNCTION discard_failed(document text, VARIADIC keys text[] DEFAULT NULL) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
  SELECT discard_failed(document, keys, NULL::text);
END;
COMMENT ON FUNCTION discard_failed(text, text[]) IS 'Forgets dead letters and returns how many: discard_failed(''city'', ''42'', ''43'') some, discard_failed(''city'') those of a document, discard_failed(NULL) all. The index keeps what it has of them.';

-- Documents -----------------------------------------------------------------------------------------------------

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

-- The log -------------------------------------------------------------------------------------------------------

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

-- Waiting for one's own write -----------------------------------------------------------------------------------
--
-- A token says "every transaction below this one", and is_synced() whether anything of those is still on its way. That
-- is enough, for whatever becomes of a mark keeps its origin, or the oldest of several: marks given back, parked,
-- released, turned into many or shed, failures, and the verify that an "everything" mark turns into. And each of
-- those steps is one transaction, so that a single snapshot always sees the change in one place at least.

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
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
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

-- What the daemon's role has to read ---------------------------------------------------------------------------------

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
