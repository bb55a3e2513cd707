import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** The stanza of docs/deploy/pm2.md, as logrotate reads it: `-d` says what it would do, and does nothing. */

const page = readFileSync(join(import.meta.dirname, '../../docs/deploy/pm2.md'), 'utf8')
const [, stanza = ''] = /```\n(\/home\/shop[\s\S]*?)```/.exec(page) ?? []
// Debian keeps it in /usr/sbin.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
const there = spawnSync('logrotate', ['--version'], { env }).status === 0

let scratch: string
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sluice-logrotate-'))
})
afterEach(() => rmSync(scratch, { recursive: true }))

test('the page has a stanza', () => {
  expect(stanza).toContain('copytruncate')
})

describe.skipIf(!there)('logrotate (its Debian package)', () => {
  /** With the home and the account of whoever runs this. */
  function rotate(text: string) {
    const logs = join(scratch, '.pm2/logs')
    mkdirSync(logs, { recursive: true })
    writeFileSync(join(logs, 'sluice-out.log'), 'a line\n')
    const { username, gid } = userInfo()
    const group = spawnSync('id', ['-gn'], { encoding: 'utf8' }).stdout.trim() || String(gid)
    const file = join(scratch, 'sluice')
    const own = text.replaceAll('/home/shop', scratch).replace('su shop shop', `su ${username} ${group}`)
    writeFileSync(file, own, { mode: 0o644 })
    const { status, stdout, stderr } = spawnSync('logrotate', ['-d', '-s', join(scratch, 'state'), file], {
      encoding: 'utf8',
      env,
    })
    return { status, said: stdout + stderr }
  }

  test('understands it, and finds the log', () => {
    const { status, said } = rotate(stanza)
    expect({ status, said }).toMatchObject({ status: 0, said: expect.not.stringMatching(/^error/m) })
    expect(said).toContain(`considering log ${scratch}/.pm2/logs/sluice-out.log`)
  })

  test('would complain', () => {
    const { said } = rotate(stanza.replace('copytruncate', 'copytruncates'))
    expect(said).toContain("unknown option 'copytruncates'")
  })
})
