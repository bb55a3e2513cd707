import { expect, inject, test } from 'vitest'
import { describeParents } from '../support/describe-parents.ts'
import { elasticsearchVersion, type Server, startElasticsearch } from '../support/servers/index.ts'
import { isAlive, processTree } from '../support/servers/processes.ts'

/** What takes long of the tests of the test servers; the others are in test/integration/servers.test.ts. */

async function searchVersion(server: Server): Promise<string> {
  const answer = await fetch(`${server.url}/_nodes?filter_path=nodes.*.version`)
  return /"version":"([^"]+)"/.exec(await answer.text())?.[1] ?? 'none'
}

describeParents([
  ['postgres', 'wait', 'SIGINT'],
  ['postgres', 'wait', 'SIGTERM'],
  ['postgres', 'wait', 'SIGKILL'],
  ['postgres', 'exit', null],
  ['postgres', 'forget', null],
  ['elasticsearch', 'wait', 'SIGKILL'],
])

test('Elasticsearch 8 is of the expected version; killed, it starts again', {
  timeout: 300_000,
}, async () => {
  const server = await startElasticsearch({ heap: '512m', brief: true })
  try {
    expect(await searchVersion(server)).toBe(elasticsearchVersion)
    // The run's own is the second one at the same time.
    expect(server.url).not.toBe(inject('elasticsearchUrl'))
    const tree = processTree(server.pid)
    await server.kill('SIGKILL')
    expect(tree.filter(isAlive)).toEqual([])
    await server.start()
    expect(await searchVersion(server)).toBe(elasticsearchVersion)
  } finally {
    await server.stop()
  }
})
