import type { z } from 'zod'
import { DEFAULT_BACKLOG_AFTER } from './alerts.ts'
import { driftRange, limitRanges } from './limits.ts'
import { redactUrl } from './redact.ts'
import type { Limits } from './types.ts'
import * as value from './values.ts'

/** Global flags that state a setting, as commander names them: `--database-url`. */
export type Flag = 'databaseUrl' | 'elasticsearchUrl' | 'schema' | 'logLevel'

/** An environment variable. */
export interface Variable<Schema extends z.ZodType = z.ZodType> {
  readonly name: string
  /** Flag that states the same and beats it. */
  readonly flag?: Flag
  readonly schema: Schema
  /** Its text is a number. */
  readonly numeric?: true
  /** How a bad value is shown where it may hold a credential. */
  readonly redact?: (text: string) => string
  readonly default?: string | number
}

const hidden = () => 'a text that is not shown'

/** Every variable that sluice reads. `.env.example` lists the same ones (a test compares them). */
export const variables = {
  postgres: { name: 'DATABASE_URL', flag: 'databaseUrl', schema: value.postgresUrl, redact: redactUrl },
  elasticsearch: {
    name: 'ELASTICSEARCH_URL',
    flag: 'elasticsearchUrl',
    schema: value.elasticsearchUrl,
    redact: redactUrl,
  },
  elasticsearchApiKey: {
    name: 'ELASTICSEARCH_API_KEY',
    schema: value.text('an encoded API key'),
    redact: hidden,
  },
  elasticsearchUsername: { name: 'ELASTICSEARCH_USERNAME', schema: value.text('a user name') },
  elasticsearchPassword: { name: 'ELASTICSEARCH_PASSWORD', schema: value.text('a password'), redact: hidden },
  elasticsearchCaFile: { name: 'ELASTICSEARCH_CA_FILE', schema: value.text('the path of a PEM file') },
  plaintextHosts: { name: 'PLAINTEXT_HOSTS', schema: value.plaintextHosts },
  batchSize: limit('batchSize'),
  batchBytes: limit('batchBytes'),
  concurrency: limit('concurrency'),
  pollingInterval: limit('pollingInterval'),
  maxRetries: limit('maxRetries'),
  requestTimeout: limit('requestTimeout'),
  shutdownTimeout: limit('shutdownTimeout'),
  syncLogRetentionDays: limit('syncLogRetentionDays'),
  adminHost: { name: 'ADMIN_HOST', schema: value.adminHost, default: '127.0.0.1' },
  adminPort: { name: 'ADMIN_PORT', schema: value.adminPort, numeric: true, default: 9187 },
  adminToken: { name: 'ADMIN_TOKEN', schema: value.adminToken, redact: hidden },
  adminHosts: { name: 'ADMIN_HOSTS', schema: value.adminHosts },
  adminTrustedProxies: { name: 'ADMIN_TRUSTED_PROXIES', schema: value.adminTrustedProxies },
  alertWebhook: { name: 'ALERT_WEBHOOK', schema: value.webhookUrl, redact: hidden },
  alertBacklogAfter: { name: 'ALERT_BACKLOG_AFTER', schema: value.lapse, default: DEFAULT_BACKLOG_AFTER },
  alertDrift: {
    name: 'ALERT_DRIFT',
    schema: value.whole(driftRange),
    numeric: true,
    default: driftRange.default,
  },
  logLevel: { name: 'LOG_LEVEL', flag: 'logLevel', schema: value.logLevel, default: 'info' },
  schema: { name: 'SLUICE_SCHEMA', flag: 'schema', schema: value.schemaName, default: 'sluice' },
  instance: { name: 'SLUICE_INSTANCE', schema: value.instanceName },
} as const satisfies Readonly<Record<string, Variable>>

function limit(name: keyof Limits) {
  const range = limitRanges[name]
  return {
    // batchSize → BATCH_SIZE
    name: name.replace(/[A-Z]/g, '_$&').toUpperCase(),
    schema: value.whole(range),
    numeric: true,
    default: range.default,
  } as const
}
