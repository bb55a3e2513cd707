import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { handOver } from './account.ts'
import { type Command, type Server, startServer } from './server.ts'

export interface SearchServerOptions {
  /** Settings of the node, over ours. */
  readonly settings?: Readonly<Record<string, string>>
  /** Java heap; default: 1g. */
  readonly heap?: string
  /**
   * For minutes of small requests, as tests send them: compiles less and collects garbage with one thread. Starts with
   * 12 seconds of processor time instead of 19, and answers the first thousand requests with two thirds. Benchmarks want
   * the other kind, which is faster in the long run. Default: false.
   */
  readonly brief?: boolean
}

/** For a Java program that does not run for long enough to gain by more. */
export const compileLittle = '-XX:TieredStopAtLevel=1'

/** What the options say, for the Java command. */
export function javaOptions({ heap = '1g', brief = false }: SearchServerOptions): readonly string[] {
  // Elasticsearch would touch every page of the heap before it does anything else.
  const quick = [compileLittle, '-XX:-UseG1GC', '-XX:+UseSerialGC', '-XX:-AlwaysPreTouch']
  return [`-Xms${heap}`, `-Xmx${heap}`, ...(brief ? quick : [])]
}

/** What is particular to one of the search servers. */
interface SearchProgram {
  readonly name: string
  /** Folder of configuration files to start from; it is copied. */
  readonly template: string
  /** Name of the file among them that takes the settings. */
  readonly settingsFile: string
  readonly settings: Readonly<Record<string, string>>
  readonly command: (directory: string) => Command
}

const common: Readonly<Record<string, string>> = {
  'node.name': 'one',
  'discovery.type': 'single-node',
  'network.host': '127.0.0.1',
  'transport.port': '0',
  // A laptop's disk is often over 90 % full: a test index shall not become read-only for that.
  'cluster.routing.allocation.disk.threshold_enabled': 'false',
  // Tests clean up by prefix.
  'action.destructive_requires_name': 'false',
}

/** Starts a single node with configuration, data and logs of its own: no transport security, no users. */
export function startSearchServer(program: SearchProgram): Promise<Server> {
  return startServer({
    name: program.name,
    prepare: async (directory) => {
      await cp(program.template, join(directory, 'config'), { recursive: true })
      await dropGcLog(join(directory, 'config/jvm.options'))
      for (const folder of ['config', 'data', 'logs', 'tmp']) {
        await mkdir(join(directory, folder), { recursive: true })
        await handOver(join(directory, folder))
      }
    },
    command: async (directory, port) => {
      const paths = { 'path.data': join(directory, 'data'), 'path.logs': join(directory, 'logs') }
      const settings = {
        ...common,
        ...paths,
        'cluster.name': basename(directory),
        'http.port': String(port),
        ...program.settings,
      }
      // JSON is YAML.
      await writeFile(join(directory, 'config', program.settingsFile), JSON.stringify(settings, null, 2))
      return program.command(directory)
    },
    url: (port) => `http://127.0.0.1:${port}`,
    isReady,
    orderlySignal: 'SIGTERM',
    lastSignal: 'SIGKILL',
    // 13 s on two idle cores; several times that where seven other things run on them.
    startTimeoutMs: 240_000,
  })
}

/** OpenSearch would write it into its home, which is shared and read-only. Elasticsearch 9 is started without this file. */
async function dropGcLog(file: string): Promise<void> {
  if (!existsSync(file)) return
  const options = await readFile(file, 'utf8')
  await writeFile(file, options.replaceAll(/^.*-Xlog:gc.*$/gm, ''))
}

/** A master is elected and the state recovered: the first answers come before that. */
async function isReady(url: string, directory: string): Promise<boolean> {
  const answer = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`, {
    signal: AbortSignal.timeout(2_000),
  })
  return answer.ok && (await answer.text()).includes(`"${basename(directory)}"`)
}
