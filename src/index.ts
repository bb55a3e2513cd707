// What HTTP for operators answers, where no command prints it.
export {
  alertsJson,
  documentsJson,
  failuresPageJson,
  healthJson,
  httpErrorJson,
  indicesJson,
  logJson,
  oneRunJson,
  readyJson,
  runsPageJson,
  startedJson,
  workersJson,
} from './admin/json.ts'
export { snapshotJson } from './admin/snapshot.ts'
// What each command prints with --json.
export { checkJson } from './cli/json/check.ts'
export { cleanupJson } from './cli/json/cleanup.ts'
export { detachJson } from './cli/json/detach.ts'
export { doctorJson } from './cli/json/doctor.ts'
export { documentStateJson, resumeJson } from './cli/json/document-state.ts'
export { enqueueJson } from './cli/json/enqueue.ts'
export { errorJson } from './cli/json/error.ts'
export { failedChangeJson, failedListJson, failedShowJson } from './cli/json/failed.ts'
export { initJson } from './cli/json/init.ts'
export { inspectJson } from './cli/json/inspect.ts'
export { installJson } from './cli/json/install.ts'
export { migrateJson } from './cli/json/migrate.ts'
export { previewJson } from './cli/json/preview.ts'
export { probeJson } from './cli/json/probe.ts'
export { reindexJson } from './cli/json/reindex.ts'
export { backfillJson, optimizeJson, runsJson } from './cli/json/run.ts'
export { statusJson } from './cli/json/status.ts'
export { uninstallJson } from './cli/json/uninstall.ts'
export { verifyJson } from './cli/json/verify.ts'
export { defineConfig, sql } from './config/define.ts'
export type {
  Connection,
  DocumentDefinition,
  FieldSource,
  Limits,
  LogLevel,
  Relation,
  RowFields,
  ScheduleDefinition,
  ScheduledRun,
  SluiceConfig,
  SqlExpression,
  Through,
  Transform,
  TransformContext,
  TransformResult,
} from './config/types.ts'
export {
  ConfigError,
  DocumentQueryError,
  FailedError,
  SchemaError,
  SluiceError,
  TimeoutError,
  UnreachableError,
  UsageError,
} from './errors.ts'
export type { BatchEvent, LogEvent, SluiceEvents } from './library/events.ts'
export type { RunReport } from './library/run-to-the-end.ts'
export {
  type CreateOptions,
  createSluice,
  type InstallReport,
  type Sluice,
  type Synced,
  type SyncedOptions,
} from './library/sluice.ts'
export type { DeadDocument } from './queue/sync-token.ts'
