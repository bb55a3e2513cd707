-- The queue: claims, keys parked for an index that takes no writes, counts, marks by hand, how long a retry waits.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE FUNCTION claim(document text, lane smallint, max_keys integer, front bigint DEFAULT 0) RETURNS SETOF sync_queue
LANGUAGE plpgsql SET search_path FROM CURRENT
-- The one right plan is to walk the primary key. Statistics of a queue are always wrong (it was empty when they
-- were taken, or full): a sort of a million marks takes 500 ms where the walk takes 3. It ends after a thousand marks,
-- but to JIT it is a walk over all of them: from 1.4 million on it was compiled, 38 ms in each new session.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
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
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
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
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
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
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    DELETE FROM sync_queue q
     WHERE q.ctid = ANY (ARRAY(
             SELECT p.ctid FROM sync_queue p
              WHERE p.lane = 2 AND p.target = try_target.target ORDER BY p.run_id NULLS FIRST, p.id LIMIT 1
                FOR UPDATE SKIP LOCKED))
    RETURNING q.*;
END $$;
COMMENT ON FUNCTION try_target IS 'Takes a free mark that waits for an index out of the queue, for a trial of that index: the oldest of a change, then of a run. It is back if the transaction does not commit.';

CREATE FUNCTION release_target(target text, max_keys integer) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  chosen   tid[];
  released bigint;
BEGIN
  -- Marks that another daemon is just moving, or tries, are skipped. What is locked here and does not fit stays locked
  -- until this statement ends.
  SELECT coalesce(array_agg(c.tid), '{}'), coalesce(sum(c.size), 0) INTO chosen, released
    FROM (SELECT f.tid, f.size, sum(f.size) OVER (ORDER BY f.run_id NULLS FIRST, f.id) - f.size AS before
            FROM (SELECT q.ctid AS tid, q.run_id, q.id, coalesce(cardinality(q.keys), 1) AS size FROM sync_queue q
                   WHERE q.lane = 2 AND q.target = release_target.target
                   ORDER BY q.run_id NULLS FIRST, q.id LIMIT least(max_keys, 2000)
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
COMMENT ON FUNCTION release_target IS 'Puts keys that wait for an index back into their lane: the interactive one for up to 100, else bulk. Those of changes before those of runs, about max_keys at a time; returns how many.';

CREATE FUNCTION forget_target(target text) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
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
              ORDER BY p.run_id NULLS FIRST, p.id LIMIT 2000
                FOR UPDATE OF p SKIP LOCKED))
    RETURNING cardinality(q.keys) AS keys
  )
  SELECT coalesce(sum(g.keys), 0) INTO forgotten FROM gone g;
  RETURN forgotten;
END $$;
COMMENT ON FUNCTION forget_target IS 'Drops marks that wait for an index which is written to no more: there is nothing left to do for it. Up to 2,000 marks at a time; returns the number of keys.';

CREATE FUNCTION queued_keys(document text, lane smallint, OUT keys bigint, OUT targeted bigint, OUT oldest timestamptz, OUT exact boolean)
-- SECURITY DEFINER: sync_stats calls it, which people read who have no grant on our tables.
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
