import { join } from 'node:path'
import { requireJava } from './java.ts'
import { distribution } from './maven.ts'
import { compileLittle, javaOptions, type SearchServerOptions, startSearchServer } from './search-server.ts'
import type { Server } from './server.ts'

export const elasticsearchVersion = '8.19.21'

export interface ElasticsearchOptions extends SearchServerOptions {
  /** Folder of configuration files to start from; default: the distribution's. */
  readonly template?: string
}

/** Where the distribution is; it is fetched once. */
export function elasticsearchHome(): Promise<string> {
  return distribution({
    artifact: `org.elasticsearch.distribution.integ-test-zip:elasticsearch:${elasticsearchVersion}:zip`,
    megabytes: 107,
  })
}

/** Starts the real Elasticsearch 8.19, in the build that Elastic publishes for integration tests (few modules). */
export async function startElasticsearch(options: ElasticsearchOptions = {}): Promise<Server> {
  const java = await requireJava(17, 'Elasticsearch')
  const home = await elasticsearchHome()
  return startSearchServer({
    name: 'Elasticsearch',
    template: options.template ?? join(home, 'config'),
    settingsFile: 'elasticsearch.yml',
    settings: { 'xpack.security.enabled': 'false', ...options.settings },
    command: (directory) => ({
      file: join(home, 'bin/elasticsearch'),
      env: {
        ES_JAVA_HOME: java,
        ES_JAVA_OPTS: javaOptions(options).join(' '),
        // The program that starts the server, itself in Java: 0.9 seconds of processor time instead of 1.5.
        ...(options.brief === true ? { CLI_JAVA_OPTS: compileLittle } : {}),
        ES_PATH_CONF: join(directory, 'config'),
        ES_TMPDIR: join(directory, 'tmp'),
      },
    }),
  })
}
