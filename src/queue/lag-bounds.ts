/**
 * Upper bounds of the lag histogram in `sync_rollup`, in milliseconds: element n of `lag_counts` counts keys answered
 * within LAG_BOUNDS_MS[n], one more element all slower ones. The same as lag_bounds() in migrations/0006_log.sql
 * (a test compares them): steps of about two where people feel a difference, up to two hours for a backlog.
 */
export const LAG_BOUNDS_MS: readonly number[] = [
  5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 300_000, 1_800_000, 7_200_000,
]
