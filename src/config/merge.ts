import type { z } from 'zod'
import { adminSettings } from './admin.ts'
import { DEFAULT_ALERTS, DEFAULT_BACKLOG_AFTER } from './alerts.ts'
import { type Credentials, elasticsearchSettings } from './credentials.ts'
import { milliseconds } from './duration.ts'
import { hostList, judgePostgres, plainElasticsearch, plainWebhook } from './plaintext.ts'
import { type Problem, show } from './problems.ts'
import type { BaseSettings, SluiceConfig } from './types.ts'
import { type Flag, type Variable, variables } from './variables.ts'

/** Where settings come from; the earlier beats the later. */
export interface Layers {
  readonly flags: Readonly<Partial<Record<Flag, string>>>
  /** process.env over credential files over .env. A variable that is set to nothing counts as not set. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What gave a variable where it was not process.env (`.env`, `CREDENTIALS_DIRECTORY`), for messages. */
  readonly fromFiles: ReadonlyMap<string, string>
  readonly config: Omit<SluiceConfig, 'documents'>
}

export interface Merged {
  readonly settings: Omit<BaseSettings, 'file'>
  /** With problems, the settings are not to be used. */
  readonly problems: readonly Problem[]
}

/** Flags, environment, configuration and defaults in one. Only the value that counts is checked. */
export function mergeSettings(layers: Layers, defaultInstance: string): Merged {
  const problems: Problem[] = []
  const { connection = {}, limits = {}, admin = {}, alerts = {}, schema, instance, logLevel } = layers.config

  const read = <Schema extends z.ZodType>(
    variable: Variable<Schema>,
    configured: z.output<Schema> | undefined,
  ): z.output<Schema> | undefined => {
    const given = givenText(variable, layers)
    if (given === undefined) return configured
    const result = variable.schema.safeParse(variable.numeric ? numberIn(given.text) : given.text)
    if (result.success) return result.data
    problems.push(badValue(variable, given, result.error.issues[0]?.message ?? 'another value'))
    return undefined
  }
  // The environment's credentials replace the configuration's as a whole: an API key in one and a password in the
  // other are not a contradiction.
  const stated: Credentials = {
    apiKey: read(variables.elasticsearchApiKey, undefined),
    username: read(variables.elasticsearchUsername, undefined),
    password: read(variables.elasticsearchPassword, undefined),
  }
  const inEnvironment = Object.values(stated).some((value) => value !== undefined)
  const elasticsearch = elasticsearchSettings({
    url: read(variables.elasticsearch, connection.elasticsearch),
    credentials: inEnvironment
      ? stated
      : {
          apiKey: connection.elasticsearchApiKey,
          username: connection.elasticsearchUsername,
          password: connection.elasticsearchPassword,
        },
    caFile: read(variables.elasticsearchCaFile, connection.elasticsearchCaFile),
  })
  problems.push(...elasticsearch.problems)
  const allowed = hostList(read(variables.plaintextHosts, connection.plaintextHosts))
  if (elasticsearch.settings !== null)
    problems.push(...plainElasticsearch(elasticsearch.settings.url, allowed))
  const url = read(variables.postgres, connection.postgres)
  const postgres = url === undefined ? null : judgePostgres(url, allowed, layers.environment)
  problems.push(...(postgres?.problems ?? []))

  const administered = adminSettings({
    host: read(variables.adminHost, admin.host) ?? variables.adminHost.default,
    port: read(variables.adminPort, admin.port) ?? variables.adminPort.default,
    token: read(variables.adminToken, admin.token),
    hosts: read(variables.adminHosts, admin.hosts),
    trustedProxies: read(variables.adminTrustedProxies, admin.trustedProxies),
  })
  problems.push(...administered.problems)
  const webhook = read(variables.alertWebhook, alerts.webhook) ?? null
  if (webhook !== null) problems.push(...plainWebhook(webhook, allowed))
  const backlogAfter = read(variables.alertBacklogAfter, alerts.backlogAfter)

  const limit = (name: keyof typeof limits) => read(variables[name], limits[name]) ?? variables[name].default
  const settings = {
    postgres: postgres?.url ?? null,
    elasticsearch: elasticsearch.settings,
    admin: administered.settings,
    schema: read(variables.schema, schema) ?? variables.schema.default,
    instance: read(variables.instance, instance) ?? defaultInstance,
    logLevel: read(variables.logLevel, logLevel) ?? variables.logLevel.default,
    alerts: {
      webhook,
      backlogAfterMs: milliseconds(backlogAfter ?? DEFAULT_BACKLOG_AFTER) ?? DEFAULT_ALERTS.backlogAfterMs,
      drift: read(variables.alertDrift, alerts.drift) ?? DEFAULT_ALERTS.drift,
    },
    limits: {
      batchSize: limit('batchSize'),
      batchBytes: limit('batchBytes'),
      concurrency: limit('concurrency'),
      pollingInterval: limit('pollingInterval'),
      maxRetries: limit('maxRetries'),
      requestTimeout: limit('requestTimeout'),
      shutdownTimeout: limit('shutdownTimeout'),
      syncLogRetentionDays: limit('syncLogRetentionDays'),
    },
  }
  return { settings, problems }
}

interface Given {
  readonly text: string
  readonly where: string
  /** ` in .env` or the like, where that is so. */
  readonly place: string
}

/** What the command line or the environment say. */
function givenText(variable: Variable, { flags, environment, fromFiles }: Layers): Given | undefined {
  const flag = variable.flag === undefined ? undefined : flags[variable.flag]
  if (variable.flag !== undefined && flag !== undefined) {
    const name = variable.flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    return { text: flag, where: `--${name}`, place: '' }
  }
  const text = environment[variable.name]?.trim()
  if (text === undefined || text === '') return undefined
  const file = fromFiles.get(variable.name)
  return { text, where: variable.name, place: file === undefined ? '' : ` in ${file}` }
}

function badValue({ redact, default: standard }: Variable, given: Given, expected: string): Problem {
  const got = redact === undefined ? show(given.text) : redact(given.text)
  const otherwise = standard === undefined ? '' : ` (default ${standard})`
  return { where: given.where, what: `got ${got}${given.place}, expected ${expected}${otherwise}` }
}

/** Digits alone: Number() would also take "1e3", "0x10" and "". What is no number may be a word that stands for one (`off`). */
function numberIn(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text
}
