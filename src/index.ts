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
export { checkJson } from './answers/json/check.ts'
export { cleanupJson } from './answers/json/cleanup.ts'
export { demoJson } from './answers/json/demo.ts'
export { detachJson } from './answers/json/detach.ts'
export { doctorJson } from './answers/json/doctor.ts'
export { documentStateJson, resumeJson } from './answers/json/document-state.ts'
export { enqueueJson } from './answers/json/enqueue.ts'
export { errorJson } from './answers/json/error.ts'
export { failedChangeJson, failedListJson, failedShowJson } from './answers/json/failed.ts'
export { initJson } from './answers/json/init.ts'
export { inspectJson } from './answers/json/inspect.ts'
export { installJson } from './answers/json/install.ts'
export { migrateJson } from './answers/json/migrate.ts'
export { previewJson } from './answers/json/preview.ts'
export { probeJson } from './answers/json/probe.ts'
export { reindexJson } from './answers/json/reindex.ts'
export { backfillJson, optimizeJson, runsJson } from './answers/json/run.ts'
export { statusJson } from './answers/json/status.ts'
export { uninstallJson } from './answers/json/uninstall.ts'
export { verifyJson } from './answers/json/verify.ts'
export { defineConfig, sql } from './config/define.ts'
export type {
  Admin,
  Alerts,
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
