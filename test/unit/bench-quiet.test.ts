import { expect, test } from 'vitest'
import { type NodesStats, quiet, underWay } from '../bench/quiet.ts'

/** When Elasticsearch is at rest, so that a measurement may begin. */

type Node = NonNullable<NodesStats['nodes']>[string]
const stats = (...nodes: readonly Node[]): NodesStats => ({ nodes: Object.fromEntries(nodes.entries()) })
const rest: Node = {
  indices: { merges: { current: 0 }, indexing: { index_current: 0, delete_current: 0 } },
  thread_pool: {
    write: { active: 0, queue: 0 },
    refresh: { active: 0, queue: 0 },
    flush: { active: 0, queue: 0 },
  },
}

test('at rest, nothing is under way; nor does an answer count that lacks something', () => {
  expect(underWay(stats(rest, rest))).toBe('')
  expect(underWay(stats({}))).toBe('')
  expect(underWay(stats({ thread_pool: { management: { active: 1, queue: 0 } } }))).toBe('')
})

test.each<[string, Node]>([
  ['merges 2', { indices: { merges: { current: 2 } } }],
  ['indexing 1', { indices: { indexing: { index_current: 1, delete_current: 0 } } }],
  ['deleting 1', { indices: { indexing: { index_current: 0, delete_current: 1 } } }],
  ['write 3', { thread_pool: { write: { active: 1, queue: 2 } } }],
  ['refresh 1', { thread_pool: { refresh: { active: 1, queue: 0 } } }],
  ['flush 1', { thread_pool: { flush: { active: 0, queue: 1 } } }],
  ['force_merge 1', { thread_pool: { force_merge: { active: 1, queue: 0 } } }],
  ['merge 1', { thread_pool: { merge: { active: 1, queue: 0 } } }],
])('%s on one of two nodes is told', (told, node) => {
  expect(underWay(stats(rest, node))).toBe(told)
})

/** Answers with these, one after the other, and then with the last. */
function search(...answers: readonly NodesStats[]) {
  let asked = 0
  return {
    asked: () => asked,
    pids: { postgres: 1, elasticsearch: 2 },
    search: async () => answers[Math.min(asked++, answers.length - 1)],
  }
}

test('a merge that follows upon another is waited for', async () => {
  const merging = stats({ indices: { merges: { current: 1 } } })
  const server = search(stats(rest), merging, stats(rest))
  await quiet(server)
  // Three looks in a row that found nothing, after the second.
  expect(server.asked()).toBe(5)
})

test('what never rests is told; where others may be at work it is let be', async () => {
  const server = search(stats({ indices: { merges: { current: 1 } } }))
  await quiet({ ...server, pids: null }, 0)
  await expect(quiet(server, 0)).rejects.toThrow('Elasticsearch is not at rest after 0 s: merges 1')
})
