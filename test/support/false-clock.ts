import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A clock that can be set while the processes that live by it run. Their monotonic clocks stay true, as in reality. */
export interface FalseClock {
  /** To be added to the environment of those processes. */
  readonly environment: Readonly<Record<string, string>>
  /** So many seconds from the truth, from within BELIEVED_MS on; negative: behind. */
  set(seconds: number): void
  remove(): void
}

/** `FAKETIME_CACHE_DURATION`: a process reads anew when more than so many whole seconds have passed; less would be a read at each look. */
const KEPT_SECONDS = 1

/** After this everybody has read what was set. */
export const BELIEVED_MS = (KEPT_SECONDS + 1) * 1_000

/** Where Debian's package has it; LIBFAKETIME names another place. */
const places = ['x86_64', 'aarch64'].map(
  (machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`,
)

/** How to get one, for whoever has none. */
export const CLOCK_REMEDY = 'apt-get install libfaketime, or LIBFAKETIME=<libfaketimeMT.so.1>'

/** Null where libfaketime is not installed. */
export function createFalseClock(): FalseClock | null {
  const library = [process.env.LIBFAKETIME ?? '', ...places].find(
    (place) => place !== '' && existsSync(place),
  )
  return library === undefined
    ? null
    : falseClockOf(library, { FAKETIME_CACHE_DURATION: String(KEPT_SECONDS) })
}

/** @param reading how often processes look at what was set: variables of libfaketime */
export function falseClockOf(library: string, reading: Readonly<Record<string, string>>): FalseClock {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-clock-'))
  // The servers' account reads it, too.
  chmodSync(directory, 0o755)
  const file = join(directory, 'offset')
  const set = (seconds: number) => {
    // Never half of it.
    writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    renameSync(`${file}.new`, file)
  }
  set(0)
  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      ...reading,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
