-- What operators and dashboards read. Marks are counted in the queue itself, outcomes in the rollup.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE VIEW sync_stats AS
SELECT d.name AS document,
       d.state,
       coalesce(q.pending_keys, 0) AS pending_keys,
       coalesce(q.parked_keys, 0) AS parked_keys,
       coalesce(q.blocked_keys, 0) AS blocked_keys,
       q.oldest_pending_age,
       q.oldest_parked_age,
       coalesce(l.synced_minute, 0) AS synced_last_minute,
       coalesce(h.synced_hour, 0) AS synced_last_hour,
       coalesce(r.synced_day, 0) AS synced_last_day,
       coalesce(r.synced_week, 0) AS synced_last_week,
       coalesce(l.failed_minute, 0) AS failed_last_minute,
       coalesce(h.failed_hour, 0) AS failed_last_hour,
       coalesce(r.failed_day, 0) AS failed_last_day,
       coalesce(r.failed_week, 0) AS failed_last_week,
       coalesce(h.failed_hour / nullif(h.synced_hour + h.failed_hour, 0), 0)::double precision AS failure_rate,
       h.lag_sum_ms / nullif(h.answered, 0) AS average_lag_ms,
       lag_percentile(h.lag_counts, 0.99) AS p99_lag_ms,
       coalesce(f.retrying, 0) AS retrying,
       coalesce(f.dead, 0) AS dead,
       r.last_minute AS last_synced_at,
       q.exact AS keys_are_exact
  FROM sync_document d
  LEFT JOIN LATERAL (
    SELECT (sum(k.keys) FILTER (WHERE l.lane < 2))::bigint AS pending_keys,
           (sum(k.keys) FILTER (WHERE l.lane = 2))::bigint AS parked_keys,
           (sum(k.targeted) FILTER (WHERE l.lane = 2))::bigint AS blocked_keys,
           clock_timestamp() - min(k.oldest) FILTER (WHERE l.lane = 2) AS oldest_parked_age,
           clock_timestamp() - min(k.oldest) FILTER (WHERE l.lane < 2) AS oldest_pending_age,
           bool_and(k.exact) AS exact
      FROM generate_series(0, 2) AS l (lane) CROSS JOIN LATERAL queued_keys(d.name, l.lane::smallint) k) q ON true
  LEFT JOIN (
    SELECT e.document,
           sum(e.count) FILTER (WHERE e.outcome = 'done') AS synced_minute,
           sum(e.count) FILTER (WHERE e.outcome IN ('retry', 'dead')) AS failed_minute
      FROM sync_log e WHERE e.at > now() - interval '1 minute' GROUP BY e.document) l ON l.document = d.name
  -- Two, for what is wanted of an hour only is seldom worth looking for in a week.
  LEFT JOIN (
    SELECT u.document,
           sum(u.indexed + u.deleted) AS synced_hour, sum(u.retried + u.dead) AS failed_hour, sum(u.lag_sum_ms) AS lag_sum_ms,
           sum(u.indexed + u.deleted + u.superseded + u.retried + u.dead) AS answered,
           sum_counts(u.lag_counts) AS lag_counts
      FROM sync_rollup u WHERE u.minute > now() - interval '1 hour' GROUP BY u.document) h ON h.document = d.name
  LEFT JOIN (
    SELECT u.document,
           sum(u.indexed + u.deleted) FILTER (WHERE u.minute > now() - interval '1 day') AS synced_day,
           sum(u.indexed + u.deleted) AS synced_week,
           sum(u.retried + u.dead) FILTER (WHERE u.minute > now() - interval '1 day') AS failed_day,
           sum(u.retried + u.dead) AS failed_week,
           max(u.minute) FILTER (WHERE u.indexed + u.deleted > 0) AS last_minute
      FROM sync_rollup u WHERE u.minute > now() - interval '7 days' GROUP BY u.document) r ON r.document = d.name
  LEFT JOIN (
    SELECT x.document,
           count(*) FILTER (WHERE x.state = 'retrying') AS retrying, count(*) FILTER (WHERE x.state = 'dead') AS dead
      FROM sync_failed x GROUP BY x.document) f ON f.document = d.name;
COMMENT ON VIEW sync_stats IS 'How each document is doing. 5,000 marks of a document and lane are counted; where there are more, their keys are estimated (keys_are_exact).';
COMMENT ON COLUMN sync_stats.pending_keys       IS 'Keys marked and not acknowledged, parked ones apart, repeated keys counted each time; an "everything" mark counts as one.';
COMMENT ON COLUMN sync_stats.parked_keys        IS 'Keys in lane 2: deletes that the mass-delete brake holds back (sync_brake), or keys whose index is blocked.';
COMMENT ON COLUMN sync_stats.blocked_keys       IS 'Those of parked_keys whose index is blocked; a key that waits for two indices counts twice.';
COMMENT ON COLUMN sync_stats.oldest_pending_age IS 'Age of the oldest mark; NULL when nothing is pending. Parked ones not counted. Where keys are estimated: of the first 5,000 marks and some of the others.';
COMMENT ON COLUMN sync_stats.oldest_parked_age  IS 'Age of the oldest parked mark; NULL when nothing is parked.';
COMMENT ON COLUMN sync_stats.synced_last_minute IS 'Operations that Elasticsearch carried out, superseded ones not counted.';
COMMENT ON COLUMN sync_stats.failed_last_minute IS 'Operations that are to be retried or dead.';
COMMENT ON COLUMN sync_stats.failure_rate       IS 'Failed share of the last hour, 0 to 1.';
COMMENT ON COLUMN sync_stats.average_lag_ms     IS 'Milliseconds from mark to answer, last hour.';
COMMENT ON COLUMN sync_stats.p99_lag_ms         IS '99 % were faster, last hour; from the histogram.';
COMMENT ON COLUMN sync_stats.retrying           IS 'Documents of sync_failed that are tried again.';
COMMENT ON COLUMN sync_stats.dead               IS 'Documents of sync_failed that nobody tries again.';
COMMENT ON COLUMN sync_stats.last_synced_at     IS 'Last minute (within a week; beyond a day: hour) in which an operation was carried out.';
COMMENT ON COLUMN sync_stats.keys_are_exact     IS 'False: pending_keys, parked_keys and blocked_keys are estimates, mostly right to a few percent, for there are too many marks to count.';

-- Each element is summed by name, as many as lag_bounds() has and one: sum_counts() would take six times as long.
CREATE VIEW sync_hourly AS
SELECT date_trunc('hour', u.minute) AS hour, u.document,
       sum(u.indexed) AS indexed, sum(u.deleted) AS deleted, sum(u.superseded) AS superseded,
       sum(u.retried) AS retried, sum(u.dead) AS dead, sum(u.bytes) AS bytes, sum(u.batches) AS batches,
       sum(u.lag_sum_ms) / nullif(sum(u.indexed + u.deleted + u.superseded + u.retried + u.dead), 0) AS average_lag_ms,
       lag_percentile(ARRAY[
         sum(u.lag_counts[1]), sum(u.lag_counts[2]), sum(u.lag_counts[3]), sum(u.lag_counts[4]), sum(u.lag_counts[5]), sum(u.lag_counts[6]),
         sum(u.lag_counts[7]), sum(u.lag_counts[8]), sum(u.lag_counts[9]), sum(u.lag_counts[10]), sum(u.lag_counts[11]), sum(u.lag_counts[12]),
         sum(u.lag_counts[13]), sum(u.lag_counts[14]), sum(u.lag_counts[15]), sum(u.lag_counts[16]), sum(u.lag_counts[17])
       ]::bigint[], 0.99) AS p99_lag_ms
  FROM sync_rollup u
 GROUP BY 1, 2;
COMMENT ON VIEW sync_hourly IS 'Outcomes per hour and document, as far back as cleanup_old_sync_records leaves them. Hours older than a day are those of the time zone that the daemon''s sessions have.';

CREATE VIEW sync_lag AS
SELECT u.minute, u.document,
       sum(u.indexed + u.deleted + u.superseded + u.retried + u.dead) AS answered,
       sum(u.lag_sum_ms) / nullif(sum(u.indexed + u.deleted + u.superseded + u.retried + u.dead), 0) AS average_ms,
       lag_percentile(sum_counts(u.lag_counts), 0.50) AS p50_ms,
       lag_percentile(sum_counts(u.lag_counts), 0.95) AS p95_ms,
       lag_percentile(sum_counts(u.lag_counts), 0.99) AS p99_ms
  FROM sync_rollup u
 WHERE u.minute > now() - interval '1 hour'
 GROUP BY 1, 2;
COMMENT ON VIEW sync_lag IS 'Milliseconds from mark to answer, per minute of the last hour and document.';

CREATE VIEW sync_failures AS
SELECT f.document, f.type, f.reason,
       count(*) AS failures,
       count(*) FILTER (WHERE f.state = 'retrying') AS retrying,
       count(*) FILTER (WHERE f.state = 'dead') AS dead,
       min(f.key) AS example_key,
       min(f.first_failed_at) AS first_failed_at,
       max(f.last_failed_at) AS last_failed_at,
       min(f.due_at) AS next_due_at
  FROM sync_failed f
 GROUP BY f.document, f.type, f.reason;
COMMENT ON VIEW sync_failures IS 'What fails, and why: sync_failed by document, type and reason.';

CREATE VIEW sync_workers AS
SELECT w.instance, w.host, w.pid, w.version,
       w.state <> 'stopped' AND w.seen_at > clock_timestamp() - interval '15 seconds' AS alive,
       w.state, w.reason, w.since, w.documents, w.schedules, w.pauses, w.started_at, w.seen_at
  FROM sync_worker w;
COMMENT ON VIEW sync_workers IS 'Daemons.';
COMMENT ON COLUMN sync_workers.alive IS 'Not stopped, and heard of within 15 seconds.';

CREATE VIEW sync_runs AS
SELECT r.id, r.kind, r.document, r.state,
       CASE WHEN r.state = 'done' THEN 1
            WHEN r.total > 0 THEN least(r.processed::double precision / r.total, 1) END AS progress,
       r.total, r.walked, r.processed, r.created, r.updated, r.deleted, r.failed,
       t.elapsed AS duration,
       r.processed / nullif(extract(epoch FROM t.elapsed), 0)::double precision AS per_second,
       CASE WHEN r.state = 'running' AND r.processed > 0
            THEN t.elapsed * (greatest(r.total - r.processed, 0)::double precision / r.processed) END AS time_left,
       w.waits_for, r.worker, r.requested_by, r.reason, r.error, r.result, r.options,
       r.requested_at, r.started_at, r.finished_at
  FROM sync_run r
  JOIN sync_document d ON d.name = r.document
 CROSS JOIN LATERAL (
    SELECT CASE
             WHEN r.state NOT IN ('requested', 'running') THEN NULL
             WHEN d.state = 'paused' THEN format('its document to be resumed: sluice resume %s', d.name)
             WHEN d.state = 'detached' THEN 'its document, which is detached: sluice install'
             WHEN NOT EXISTS (SELECT FROM sync_workers x WHERE x.alive AND x.state <> 'draining' AND x.documents ->> d.name = d.hash)
               THEN format('a daemon that works on %s: sluice run', d.name)
             WHEN r.state = 'requested' THEN 'its turn'
             WHEN r.heartbeat_at < clock_timestamp() - interval '15 seconds' THEN 'a daemon to take it over'
             -- By index and run, as sync_queue_parked has them: a document may have a million marks of changes that are parked.
             ELSE (SELECT format('an index that is blocked: %s keys are parked for it', sum(cardinality(m.keys)))
                     FROM sync_index i JOIN sync_queue m ON m.target = i.name
                    WHERE i.document = r.document AND m.lane = 2 AND m.run_id = r.id HAVING count(*) > 0)
           END AS waits_for) w
 CROSS JOIN LATERAL (SELECT coalesce(r.finished_at, clock_timestamp()) - r.started_at AS elapsed) t;
COMMENT ON VIEW sync_runs IS 'Long runs, with their pace.';
COMMENT ON COLUMN sync_runs.progress   IS 'Share of the total that is acknowledged, 0 to 1; NULL while the total is not known.';
COMMENT ON COLUMN sync_runs.per_second IS 'Keys acknowledged per second since it started.';
COMMENT ON COLUMN sync_runs.time_left  IS 'At the present pace.';
COMMENT ON COLUMN sync_runs.waits_for  IS 'What it takes for a run under way to go on; NULL when it does.';

CREATE VIEW sync_alerts AS
SELECT a.name, a.document, a.severity, a.since, a.reason, a.raised_at
  FROM sync_alert a
 WHERE a.cleared_at IS NULL
UNION ALL
-- Whoever raises alerts is a daemon: that there is none, nobody has raised.
SELECT 'no_worker', d.name, 'critical', w.since, 'no daemon works on it: sluice run', NULL
  FROM sync_document d
 CROSS JOIN LATERAL (
    SELECT greatest(d.changed_at, max(x.seen_at)) AS since, coalesce(bool_or(x.alive), false) AS attended
      FROM sync_workers x WHERE x.documents ->> d.name = d.hash) w
 WHERE d.state = 'active' AND NOT w.attended AND w.since < clock_timestamp() - interval '1 minute'
   AND NOT EXISTS (SELECT FROM sync_alert a WHERE a.name = 'no_worker' AND a.document = d.name AND a.cleared_at IS NULL);
COMMENT ON VIEW sync_alerts IS 'Conditions that last, as they stand.';
COMMENT ON COLUMN sync_alerts.raised_at IS 'When a daemon raised it; NULL: there is none that could.';
