import { readFileSync } from 'node:fs'
import { parse } from 'dotenv'
import { describe, expect, it } from 'vitest'
import { limitRanges } from '../../src/config/limits.ts'
import { mergeSettings } from '../../src/config/merge.ts'
import {
  adminSchema,
  alertsSchema,
  configSchema,
  connectionSchema,
  limitsSchema,
} from '../../src/config/schema.ts'
import { type Variable, variables } from '../../src/config/variables.ts'

const text = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')
/** `# NAME=value` → NAME=value. */
const assigned = parse(text.replaceAll(/^# (?=[A-Z_]+=)/gm, ''))
const known: readonly Variable[] = Object.values(variables)

describe('.env.example', () => {
  it('lists every variable that sluice reads, and no other', () => {
    expect(Object.keys(assigned).toSorted()).toEqual(known.map(({ name }) => name).toSorted())
  })

  it('sets none of them: a copy changes nothing', () => {
    expect(parse(text)).toEqual({})
  })

  it('shows the defaults', () => {
    const defaults = known.flatMap(({ name, default: value }) =>
      value === undefined ? [] : [[name, String(value)]],
    )
    expect(assigned).toMatchObject(Object.fromEntries(defaults))
  })

  it('shows values that are accepted', () => {
    const { ELASTICSEARCH_USERNAME: _, ...environment } = assigned
    const layers = { flags: {}, environment, fromFiles: new Map<string, string>(), config: {} }
    expect(mergeSettings(layers, 'x').problems).toEqual([])
  })

  it.each(Object.values(limitRanges))('states the range %o', ({ min, max }) => {
    expect(text).toContain(`${min} to ${max}`)
  })

  it('names the key that each has in the configuration', () => {
    const keys = [...text.matchAll(/\[([^\]]+)\]/g)].flatMap(([, list]) => list?.split(', ') ?? [])
    expect(keys.toSorted()).toEqual(
      [
        ...Object.keys(connectionSchema.shape).map((key) => `connection.${key}`),
        ...Object.keys(adminSchema.shape).map((key) => `admin.${key}`),
        ...Object.keys(limitsSchema.shape).map((key) => `limits.${key}`),
        ...Object.keys(alertsSchema.shape).map((key) => `alerts.${key}`),
        ...Object.keys(configSchema.shape).filter(
          (key) => !['connection', 'limits', 'admin', 'alerts', 'documents', 'schedules'].includes(key),
        ),
      ].toSorted(),
    )
  })
})
