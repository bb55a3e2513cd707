export { defineConfig, sql } from './config/define.ts'
export type {
  Connection,
  DocumentDefinition,
  FieldSource,
  Limits,
  LogLevel,
  SluiceConfig,
  SqlExpression,
} from './config/types.ts'
