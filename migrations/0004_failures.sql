-- Failures: their locks; retried or discarded by an operator.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

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
