-- Keys and versions.
--
-- Here and in the files after this one every plpgsql function is pinned to our schema with pg_temp last, so that neither
-- a session's search_path nor a temporary table named like one of ours can divert it. The bodies between BEGIN ATOMIC
-- and END were resolved when they were created and cannot be diverted at all.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE FUNCTION encode_key(VARIADIC parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN cardinality(parts) = 1 THEN parts[1] ELSE to_jsonb(parts)::text END;
END;
COMMENT ON FUNCTION encode_key IS 'Key tuple of its parts: one part is its text, several are a JSON array as text. encode_key(''ch'', ''12'') is ''["ch", "12"]''.';

CREATE SEQUENCE sync_version AS bigint CACHE 1;
COMMENT ON SEQUENCE sync_version IS
  'External versions, one a batch. Starts at the clock in microseconds and is moved up to it, so that a restored or copied database never falls behind what Elasticsearch has seen (invariant 5). A bare nextval() is not durable (invariant 4): sluice draws with one statement that forces its commit to disk. Never set it back.';
SELECT setval('sync_version', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);

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
