import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type ServiceNotify, serviceNotify } from '../../src/cli/service-notify.ts'
import type { DaemonState } from '../../src/sync/types.ts'
import { type NotifyListener, notifyListener } from '../support/notify-listener.ts'

const log = pino({ level: 'silent' })
const running: DaemonState = { state: 'running', reason: null, forMs: 0 }
const draining: DaemonState = { state: 'draining', reason: null, forMs: 0 }
const waiting: DaemonState = { state: 'waiting', reason: 'Postgres does not\n answer', forMs: 0 }

const everyMs = 20_000
const WATCHDOG_USEC = String(3_000 * everyMs)

let systemd: NotifyListener
beforeEach(async () => {
  systemd = await notifyListener()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(async () => {
  vi.useRealTimers()
  await systemd.remove()
})

/** What systemd hears of this life, in order. */
async function heardOf(
  life: (daemon: ServiceNotify['hooks'], tick: () => Promise<void>) => void | Promise<void>,
  env: Readonly<Record<string, string>> = { WATCHDOG_USEC },
): Promise<readonly string[]> {
  const service = serviceNotify({
    env: { ...systemd.env, ...env },
    log,
    shutdownTimeout: 30_000,
    tellParent: () => {},
  })
  await life(service.hooks, async () => {
    vi.advanceTimersByTime(everyMs)
    await service.told()
  })
  await service.close()
  return systemd.heard()
}

describe('systemd is told', () => {
  test('that it is ready when it works for the first time, and what it does', async () => {
    const heard = await heardOf(({ onState, onLook }) => {
      onLook(waiting)
      onLook(waiting)
      onState(running)
      onLook(running)
      onState(waiting)
      onLook(running)
      onState(draining)
      onState({ state: 'stopped', reason: null, forMs: 0 })
    })
    expect(heard).toEqual([
      'STATUS=waiting: Postgres does not answer',
      'READY=1',
      'STATUS=running',
      'STATUS=waiting: Postgres does not answer',
      'STATUS=running',
      'STOPPING=1',
      // SHUTDOWN_TIMEOUT, and fifteen seconds for what comes after.
      'EXTEND_TIMEOUT_USEC=45000000',
      'STATUS=draining',
      'STATUS=stopped',
    ])
  })

  const beats = (heard: readonly string[]) => heard.filter((line) => line === 'WATCHDOG=1').length

  test('that it lives, while it looks at its queue', async () => {
    const heard = await heardOf(async ({ onLook }, tick) => {
      for (let n = 0; n < 3; n += 1) {
        onLook(running)
        await tick()
      }
    })
    expect(beats(heard)).toBe(3)
  })

  test('nothing, while no look has ended, whatever its timers and its state say', async () => {
    const heard = await heardOf(async ({ onLook, onState }, tick) => {
      onLook(running)
      await tick()
      for (let n = 0; n < 5; n += 1) {
        onState(n % 2 === 0 ? waiting : running)
        await tick()
      }
    })
    expect(beats(heard)).toBe(1)
  })

  test('that it lives, while it tries to join a server that is away', async () => {
    const heard = await heardOf(async ({ onLook }, tick) => {
      onLook(running)
      await tick()
      onLook(waiting)
      await tick()
    })
    expect(beats(heard)).toBe(2)
  })

  test('that it lives, while it drains', async () => {
    const heard = await heardOf(async ({ onLook, onState }, tick) => {
      onLook(running)
      onState(draining)
      await tick()
      await tick()
    })
    expect(beats(heard)).toBe(2)
  })

  test('to wait on for a start that waits for a server, and goes on trying', async () => {
    const heard = await heardOf(async ({ onLook }, tick) => {
      onLook(waiting)
      await tick()
      await tick()
      onLook(waiting)
      await tick()
    })
    expect(heard.filter((line) => line === 'EXTEND_TIMEOUT_USEC=60000000')).toHaveLength(2)
    expect(beats(heard)).toBe(0)
  })

  test('one beat at a time, however long it takes to be heard', async () => {
    const heard = await heardOf(({ onLook }) => {
      for (let n = 0; n < 5; n += 1) {
        onLook(running)
        vi.advanceTimersByTime(everyMs)
      }
    })
    expect(beats(heard)).toBe(1)
  })

  test.each([
    ['there is none', {}],
    ['it is another process’s', { WATCHDOG_USEC, WATCHDOG_PID: '1' }],
  ])('no watchdog where %s', async (_, env) => {
    const heard = await heardOf(async ({ onLook }, tick) => {
      onLook(running)
      await tick()
    }, env)
    expect(heard).toEqual(['READY=1', 'STATUS=running'])
  })
})

test('without systemd nobody is told, and no timer is left', async () => {
  const service = serviceNotify({ env: { PATH: systemd.env.PATH }, log, shutdownTimeout: 0 })
  service.hooks.onLook(running)
  expect(vi.getTimerCount()).toBe(0)
  await service.close()
  expect(await systemd.heard()).toEqual([])
})

test('a parent that waits for it is told once', async () => {
  const said: string[] = []
  const service = serviceNotify({ env: {}, log, shutdownTimeout: 0, tellParent: (text) => said.push(text) })
  service.hooks.onLook(waiting)
  expect(said).toEqual([])
  service.hooks.onLook(running)
  service.hooks.onState(waiting)
  service.hooks.onState(running)
  expect(said).toEqual(['ready'])
  await service.close()
})

test('a systemd that cannot be told is logged once, and ends nothing', async () => {
  const lines: string[] = []
  const service = serviceNotify({
    env: { NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere' },
    log: pino({}, { write: (line) => lines.push(line) }),
    shutdownTimeout: 0,
  })
  service.hooks.onState(running)
  service.hooks.onState(draining)
  await service.close()
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('ENOENT')
})

const has = (program: string) => spawnSync(program, ['--version']).error === undefined

test.skipIf(!has('systemd-notify') || !has('python3'))(
  'systemd-notify brings it to a real socket, in one datagram, with a barrier behind it',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-notify-'))
    const socket = join(folder, 'socket')
    const listener = spawn('python3', ['-u', '-c', LISTEN, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface(listener.stdout)
    const heard: string[] = []
    lines.on('line', (line) => heard.push(JSON.parse(line)))
    await once(lines, 'line')
    const service = serviceNotify({
      env: { NOTIFY_SOCKET: socket, PATH: process.env.PATH },
      log,
      shutdownTimeout: 1_000,
    })
    service.hooks.onState(running)
    service.hooks.onState(draining)
    await service.close()
    listener.kill()
    await once(listener, 'close')
    await rm(folder, { recursive: true })
    expect(heard).toEqual([
      'bound',
      'READY=1\nSTATUS=running',
      'BARRIER=1',
      'STOPPING=1\nEXTEND_TIMEOUT_USEC=16000000\nSTATUS=draining',
      'BARRIER=1',
    ])
  },
)

/** Prints each datagram as JSON. Who sends a barrier waits until the descriptor that comes with it is closed. */
const LISTEN = `
import json, os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print(json.dumps('bound'))
while True:
    text, ancillary, _, _ = listener.recvmsg(4096, socket.CMSG_SPACE(64))
    print(json.dumps(text.decode()))
    for _, _, data in ancillary:
        for at in range(0, len(data), 4):
            os.close(int.from_bytes(data[at:at + 4], 'little'))
`
