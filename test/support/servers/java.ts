import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { FailedError } from '../../../src/errors.ts'
import { runTool } from './run-tool.ts'

const installed = '/usr/lib/jvm'

/**
 * The home of the oldest Java that is new enough (each server is built for one, and later ones it may not know),
 * looked for in JAVA_HOME, below /usr/lib/jvm, and as `java` on the PATH. Null: none.
 *
 * @param compiler whether `javac` is needed too.
 */
export async function findJava(atLeast: number, { compiler = false } = {}): Promise<string | null> {
  const homes = [
    process.env.JAVA_HOME,
    ...(existsSync(installed) ? readdirSync(installed).map((name) => join(installed, name)) : []),
  ]
    .filter((home) => home !== undefined && existsSync(join(home, compiler ? 'bin/javac' : 'bin/java')))
    .map((home) => join(home ?? '', 'bin/java'))
  const found = await Promise.all([...homes, 'java'].map(describe))
  const usable = found
    .filter(
      (java) =>
        java !== null && java.major >= atLeast && (!compiler || existsSync(join(java.home, 'bin/javac'))),
    )
    .sort((a, b) => (a?.major ?? 0) - (b?.major ?? 0))
  return usable[0]?.home ?? null
}

/** As `findJava`, where there is no going on without. */
export async function requireJava(atLeast: number, server: string): Promise<string> {
  const home = await findJava(atLeast)
  if (home !== null) return home
  throw new FailedError(
    `${server} needs Java ${atLeast} or later, and none was found (JAVA_HOME, ${installed}, PATH)`,
    {
      remedy: `install it (Debian, Ubuntu: apt-get install default-jre-headless), or set ELASTICSEARCH_URL to a server of yours`,
    },
  )
}

async function describe(java: string): Promise<{ home: string; major: number } | null> {
  const properties = await runTool(java, ['-XshowSettings:properties', '-version']).catch(() => '')
  const home = /^\s*java\.home = (.+)$/m.exec(properties)?.[1]
  const major = /^\s*java\.specification\.version = (\d+)$/m.exec(properties)?.[1]
  return home === undefined || major === undefined ? null : { home, major: Number(major) }
}
