import { join } from 'node:path'
import { requireJava } from './java.ts'
import { distribution } from './maven.ts'
import { javaOptions, type SearchServerOptions, startSearchServer } from './search-server.ts'
import type { Server } from './server.ts'

export const opensearchVersion = '3.4.0'

/** Starts the real OpenSearch 3.4, in the build that its project publishes for integration tests. */
export async function startOpenSearch(options: SearchServerOptions = {}): Promise<Server> {
  const java = await requireJava(21, 'OpenSearch')
  const home = await distribution({
    artifact: `org.opensearch.distribution.integ-test-zip:opensearch:${opensearchVersion}:zip`,
    megabytes: 133,
  })
  return startSearchServer({
    name: 'OpenSearch',
    template: join(home, 'config'),
    settingsFile: 'opensearch.yml',
    settings: options.settings ?? {},
    command: (directory) => ({
      file: join(home, 'bin/opensearch'),
      env: {
        OPENSEARCH_JAVA_HOME: java,
        OPENSEARCH_JAVA_OPTS: javaOptions(options).join(' '),
        OPENSEARCH_PATH_CONF: join(directory, 'config'),
        OPENSEARCH_TMPDIR: join(directory, 'tmp'),
      },
    }),
  })
}
