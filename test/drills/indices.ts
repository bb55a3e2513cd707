import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runTool } from '../support/servers/run-tool.ts'
import type { Scene } from './scene.ts'

/** Waits until sluice has paused the document and says why, then does as it says. */
async function resumeWhenPaused(scene: Scene): Promise<void> {
  await scene.expect('the document is paused, and status says why', async () =>
    /restored or recreated/.test(await scene.sluice(['status'])),
  )
  await scene.look()
  await scene.look(['resume', 'article'])
  await scene.expect('the verify is under way or done', async () =>
    (await scene.verifies()).some(
      ({ reason, state }) => /restored or recreated/.test(reason) && state !== 'requested',
    ),
  )
  await scene.moment()
}

/** Mappings and settings as they were, so that a hand may create the index again. */
async function recreate(scene: Scene, index: string): Promise<void> {
  const { [index]: entry } = (await scene.request('GET', `/${index}/_mapping`)) as Record<
    string,
    { mappings: object }
  >
  await scene.request('DELETE', `/${index}`)
  await scene.request('PUT', `/${index}`, { mappings: entry?.mappings, aliases: { [scene.index]: {} } })
}

export async function recreatedByHand(scene: Scene): Promise<void> {
  await scene.write()
  scene.say('the index is deleted and created again by hand, under the same name: it is empty')
  await recreate(scene, await scene.physical())
  await resumeWhenPaused(scene)
}

export async function deletedByHand(scene: Scene): Promise<void> {
  await scene.write()
  scene.say('the index is deleted by hand')
  await scene.request('DELETE', `/${await scene.physical()}`)
  await scene.expect('status says that the index is missing', async () =>
    /no such index/.test(await scene.sluice(['status'])),
  )
  await scene.look()
  await scene.look(['install'])
  await scene.moment()
}

/** A snapshot is restored over the closed index: its UUID stays. */
export async function restoredOverClosed(scene: Scene): Promise<void> {
  await scene.write()
  const index = await scene.physical()
  const snapshot = `/_snapshot/drills/${index}`
  await scene.request('PUT', '/_snapshot/drills', { type: 'fs', settings: { location: 'drills' } })
  await scene.request('PUT', `${snapshot}?wait_for_completion=true`, {
    indices: index,
    include_global_state: false,
  })
  scene.say('a snapshot was taken; the application writes on')
  await scene.moment()
  scene.say('the index is closed, and the snapshot restored over it')
  await scene.request('POST', `/${index}/_close`)
  await scene.request('POST', `${snapshot}/_restore?wait_for_completion=true`, { indices: index })
  await scene.verifyAsked(/lost what it had/)
  await scene.look()
  await scene.moment()
}

/** Elasticsearch is stopped, and starts again with the data directory of a while ago: no UUID changes. */
export async function dataRestored(scene: Scene): Promise<void> {
  const { elasticsearch } = scene
  const data = join(elasticsearch.directory, 'data')
  const kept = join(elasticsearch.directory, 'data.kept')
  await scene.write()
  await elasticsearch.kill('SIGKILL')
  await runTool('cp', ['-a', data, kept])
  await elasticsearch.start()
  scene.say('Elasticsearch’s data directory was copied; the application writes on')
  // A daemon looks every ten seconds; what came and went in between it cannot know.
  const copied = await checkpoint(scene)
  await scene.expect('a daemon has looked at the index', async () => (await noted(scene)) > copied + 50)
  scene.say('Elasticsearch is lost, and starts with the copy of its data')
  await elasticsearch.kill('SIGKILL')
  await rm(data, { recursive: true })
  await rename(kept, data)
  await elasticsearch.start()
  await scene.verifyAsked(/lost what it had/)
  await scene.look()
  await scene.moment()
}

/** Number of the last operation in the index. */
async function checkpoint(scene: Scene): Promise<number> {
  const stats = (await scene.request('GET', `/${scene.index}/_stats?level=shards`)) as {
    indices: Record<string, { shards: Record<string, readonly { seq_no: { local_checkpoint: number } }[]> }>
  }
  return stats.indices[await scene.physical()]?.shards['0']?.[0]?.seq_no.local_checkpoint ?? -1
}

/** The same, as a daemon has seen it last. */
async function noted({ pool }: Scene): Promise<number> {
  const { rows } = await pool.query<{ checkpoint: number | null }>(
    "SELECT (shards #>> '{0,checkpoint}')::float8 AS checkpoint FROM sluice.sync_index WHERE role = 'live'",
  )
  return rows[0]?.checkpoint ?? -1
}

/** Somebody points the alias at another index: sluice writes where nobody searches. */
export async function aliasMoved(scene: Scene): Promise<void> {
  await scene.write()
  const live = await scene.physical()
  const other = `${scene.index}-by-hand`
  await scene.request('PUT', `/${other}`, {})
  const move = (from: string, to: string) =>
    scene.request('POST', '/_aliases', {
      actions: [{ remove: { index: from, alias: scene.index } }, { add: { index: to, alias: scene.index } }],
    })
  scene.say('the alias is moved by hand to another index')
  await move(live, other)
  await scene.expect('status says that searches do not see what sluice writes', async () =>
    /does not point to/.test(await scene.sluice(['status'])),
  )
  await scene.look()
  scene.say('the alias is moved back')
  await move(other, live)
  await scene.expect(
    'status says so no longer',
    async () => !/does not point to/.test(await scene.sluice(['status'])),
  )
  await scene.request('DELETE', `/${other}`)
}
