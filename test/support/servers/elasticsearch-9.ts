import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FailedError } from '../../../src/errors.ts'
import { cached } from './cache.ts'
import { findJava } from './java.ts'
import { maven, report } from './maven.ts'
import { runTool } from './run-tool.ts'
import { javaOptions, type SearchServerOptions, startSearchServer } from './search-server.ts'
import type { Server } from './server.ts'

export const elasticsearch9Version = '9.5.3'

/**
 * Starts the real Elasticsearch 9.5. No build of it is to be had through Maven, but its jars are: server and HTTP
 * module are put together here, with a launcher of ours (elasticsearch-9-launcher.java) in place of the command
 * line. What is missing is what the 8.19 build lacks as well, and security.
 */
export async function startElasticsearch9(options: SearchServerOptions = {}): Promise<Server> {
  const java = await findJava(21, { compiler: true })
  if (java === null) {
    throw new FailedError('Elasticsearch 9 needs a JDK 21 or later (its compiler too), and none was found', {
      remedy: 'install one, or set JAVA_HOME',
    })
  }
  const home = await cached(`elasticsearch-${elasticsearch9Version}`, (directory) =>
    assemble(directory, java),
  )
  return startSearchServer({
    name: 'Elasticsearch9',
    template: join(home, 'config'),
    settingsFile: 'elasticsearch.yml',
    settings: options.settings ?? {},
    command: (directory) => ({
      file: join(java, 'bin/java'),
      args: [...launchOptions(home, directory), ...javaOptions(options), LAUNCHER],
      env: { ES_TMPDIR: join(directory, 'tmp') },
    }),
  })
}

const LAUNCHER = '--module=org.elasticsearch.server/org.elasticsearch.bootstrap.Launcher'

/** What Elasticsearch's own command line passes, as far as it concerns us. */
function launchOptions(home: string, directory: string): string[] {
  return [
    '-XX:+UseG1GC',
    '-Xss1m',
    '-XX:+ExitOnOutOfMemoryError',
    `-Djava.io.tmpdir=${join(directory, 'tmp')}`,
    '-Dfile.encoding=UTF-8',
    `-Des.path.home=${home}`,
    `-Des.path.conf=${join(directory, 'config')}`,
    '-Des.distribution.type=zip',
    '-Des.java.type=JAVA_HOME',
    // Native vector code is not on Maven Central.
    '-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false',
    '-Dio.netty.noUnsafe=true',
    '-Dio.netty.noKeySetOptimization=true',
    '-Dio.netty.recycler.maxCapacityPerThread=0',
    '-Dlog4j.shutdownHookEnabled=false',
    '-Dlog4j2.disable.jmx=true',
    '-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1',
    '--enable-native-access=org.elasticsearch.nativeaccess,org.apache.lucene.core,org.elasticsearch.foreign',
    '--add-modules=jdk.incubator.vector,jdk.net,jdk.management.agent,ALL-MODULE-PATH',
    `--module-path=${join(home, 'lib')}`,
    `--patch-module=org.elasticsearch.server=${join(home, 'patch')}`,
  ]
}

async function assemble(directory: string, java: string): Promise<void> {
  report(`fetching Elasticsearch ${elasticsearch9Version} through Maven, once (60 MB)`)
  const [lib, netty] = [join(directory, 'lib'), join(directory, 'modules/transport-netty4')]
  const platform = join(lib, `platform/linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`)
  for (const folder of [platform, netty, join(directory, 'config'), join(directory, 'plugins')]) {
    await mkdir(folder, { recursive: true })
  }
  // Compression of stored fields needs it natively.
  await copyFile(systemZstd(), join(platform, 'libzstd.so'))

  await writeFile(join(directory, 'pom.xml'), pom)
  await maven(
    ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${lib}`],
    directory,
  )
  await rm(join(directory, 'pom.xml'))
  for (const jar of await readdir(lib)) {
    if (/^(netty|transport-netty4|elasticsearch-ssl-config)-.*\.jar$/.test(jar))
      await rename(join(lib, jar), join(netty, jar))
  }
  await writeFile(join(netty, 'plugin-descriptor.properties'), nettyDescriptor)
  await writeFile(join(directory, 'config/log4j2.properties'), log4j)

  const source = join(import.meta.dirname, 'elasticsearch-9-launcher.java')
  await runTool(join(java, 'bin/javac'), [
    '-nowarn',
    '-proc:none',
    '--release',
    '21',
    '-cp',
    `${lib}/*`,
    '-d',
    join(directory, 'patch'),
    source,
  ])
}

function systemZstd(): string {
  const folders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib']
  const found = folders.map((folder) => join(folder, 'libzstd.so.1')).find((file) => existsSync(file))
  if (found) return found
  throw new FailedError('Elasticsearch 9 needs libzstd.so.1, and none was found', {
    remedy: 'install it (Debian, Ubuntu: apt-get install libzstd1)',
  })
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>elasticsearch-9</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.elasticsearch</groupId><artifactId>elasticsearch</artifactId><version>${elasticsearch9Version}</version>
    </dependency>
    <dependency>
      <groupId>org.elasticsearch.plugin</groupId><artifactId>transport-netty4</artifactId><version>${elasticsearch9Version}</version>
    </dependency>
  </dependencies>
</project>
`

const nettyDescriptor = `description=Netty 4 based transport implementation
version=${elasticsearch9Version}
name=transport-netty4
java.version=21
elasticsearch.version=${elasticsearch9Version}
classname=org.elasticsearch.transport.netty4.Netty4Plugin
modulename=org.elasticsearch.transport.netty4
`

const log4j = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`
