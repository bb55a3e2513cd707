import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { limitRanges } from '../../src/config/limits.ts'
import { variables } from '../../src/config/variables.ts'

/** What deploy/systemd/ promises. The units are not started here: that needs a systemd as process 1. */

const folder = join(import.meta.dirname, '../../deploy/systemd')
const one = settingsOf('sluice.service')
const several = settingsOf('sluice@.service')

type Settings = readonly (readonly [key: string, value: string])[]

function settingsOf(unit: string): Settings {
  const lines = readFileSync(join(folder, unit), 'utf8').split('\n')
  return lines.flatMap((line) => {
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    return key === undefined || value === undefined ? [] : [[key, value] as const]
  })
}

const valuesOf = (settings: Settings, key: string) =>
  settings.filter(([name]) => name === key).map(([, value]) => value)

test('the template is the unit, but for its names and an environment of its own', () => {
  const text = ([key, value]: Settings[number]) => `${key}=${value}`
  const [a, b] = [one.map(text), several.map(text)]
  expect(a.filter((line) => !b.includes(line)).map((line) => line.split('=')[0])).toEqual([
    'Description',
    'SyslogIdentifier',
  ])
  expect(b.filter((line) => !a.includes(line))).toEqual([
    expect.stringMatching(/^Description=.*%i/),
    'SyslogIdentifier=sluice-%i',
    'Environment=SLUICE_INSTANCE=%H-%i',
    'EnvironmentFile=-/etc/sluice/%i.env',
  ])
})

describe('the unit', () => {
  test('gives the daemon the time that it takes to drain', () => {
    const stop = Number(valuesOf(one, 'TimeoutStopSec')[0])
    expect(stop * 1000).toBe(limitRanges.shutdownTimeout.default + 15_000)
  })

  test('hears its systemd-notify, and watches it', () => {
    expect(valuesOf(one, 'Type')).toEqual(['notify'])
    expect(valuesOf(one, 'NotifyAccess')).toEqual(['all'])
    // Looks may be half a minute apart while a server is away; three of them fit in.
    expect(Number(valuesOf(one, 'WatchdogSec')[0])).toBeGreaterThanOrEqual(90)
  })

  test('lets it write nowhere', () => {
    const keys = one.map(([key]) => key)
    for (const key of ['ReadWritePaths', 'StateDirectory', 'RuntimeDirectory', 'LogsDirectory', 'User'])
      expect(keys).not.toContain(key)
    expect(valuesOf(one, 'ProtectSystem')).toEqual(['strict'])
  })

  test('loads as credentials what sluice reads, by its name', () => {
    const loaded = valuesOf(one, 'LoadCredential').map((value) => value.split(':'))
    for (const [name, file] of loaded) expect(file).toBe(`sluice.${name}`)
    const names = loaded.map(([name]) => name)
    const secret = Object.values(variables).filter((variable) => 'redact' in variable)
    expect(names).toEqual(expect.arrayContaining(secret.map(({ name }) => name)))
    const known = Object.values(variables).map(({ name }): string => name)
    // The admin API's, which reads it where it is there.
    expect(names.filter((name = '') => !known.includes(name) && name !== 'ADMIN_TOKEN')).toEqual([])
  })
})

const analyzes = spawnSync('systemd-analyze', ['--version']).error === undefined

const units = ['sluice.service', 'sluice@.service']
describe.skipIf(!analyzes).each(units)('systemd-analyze (Debian package "systemd") and %s', (unit) => {
  const analyze = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', [...args, join(folder, unit)], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_COLORS: '0' },
    })
    return { status, said: stdout + stderr }
  }

  test('its exposure is 1.5 at most', () => {
    const { status, said } = analyze('security', '--offline=true', '--threshold=15', '--no-pager')
    expect(said).toContain('Overall exposure level')
    expect({ status, said }).toMatchObject({ status: 0 })
  })

  test('every key and value is understood, but for two of newer versions', () => {
    const { said } = analyze('verify')
    const complaints = said.split('\n').filter((line) => line.includes(folder))
    const unknown = complaints.filter((line) => !/Unknown key '(RestartSteps|RestartMaxDelaySec)'/.test(line))
    expect(unknown).toEqual([])
  })
})
