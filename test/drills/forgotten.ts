import { compare } from '../support/compare.ts'
import { coldCopy } from './copies.ts'
import type { Scene } from './scene.ts'

/** A database that is set back to before an index was made does not know it. */

/** The server and its daemon are lost; an older copy of the data takes their place. `doctor` is asked before a daemon works. */
async function setBack(scene: Scene, start: Awaited<ReturnType<typeof coldCopy>>): Promise<void> {
  await scene.daemon.kill(0)
  scene.say('the server and the daemon are lost; the copy is started')
  await scene.postgres.kill('SIGKILL')
  const copy = await scene.keep(await start())
  await scene.believe(copy)
  scene.address.lead(copy.port, { cut: true })
  await scene.look(['doctor'])
  scene.say('a daemon is started')
  scene.daemon.start(0)
}

/** Set back to before a reindex, after which the index before it was dropped (`--keep 0`) or kept. */
export async function beforeSwap(scene: Scene, keep: string): Promise<void> {
  await scene.write()
  const before = await scene.physical()
  const start = await coldCopy(scene.postgres)
  scene.say(`the data directory was copied, as a disk snapshot; then a reindex, --keep ${keep}`)
  await scene.sluice(['reindex', 'article', '--keep', keep])
  if (keep === '0') {
    await scene.expect('the index before is dropped', async () => !(await isThere(scene, before)))
  }
  scene.say('the application writes on: these transactions will be lost')
  await scene.batches()
  await setBack(scene, start)
  await scene.verifyAsked(/did not know/)
  await scene.look()
  await scene.moment()
}

async function isThere(scene: Scene, index: string): Promise<boolean> {
  const answer = await fetch(new URL(`/${index}`, scene.elasticsearch.url), { method: 'HEAD' })
  return answer.status === 200
}

/** Set back to before a tenant came: nothing in the database names its index any more, nor its documents. */
export async function beforeTenant(scene: Scene): Promise<void> {
  const index = `${scene.index}-note-{tenant}`
  await scene.daemon.kill(0)
  await scene.pool.query(`
    CREATE TABLE note (id bigint PRIMARY KEY, tenant text NOT NULL, body text NOT NULL);
    INSERT INTO note SELECT n, 'acme', 'note ' || n FROM generate_series(1, 100) n`)
  await scene.configure('sluice', scene.address.urlOf(scene.postgres.url), {
    note: { table: 'note', index, tenant: 'tenant' },
  })
  await scene.sluice(['install'])
  scene.daemon.start(0)
  const writes = await scene.write()
  await scene.expect(
    'the first tenant’s documents are there',
    async () => (await notes(scene, 'acme')) === 100,
  )
  const start = await coldCopy(scene.postgres)
  scene.say(
    'the data directory was copied, as a disk snapshot; then a tenant comes, with an index of its own',
  )
  await scene.pool.query(`INSERT INTO note SELECT n, 'late', 'note ' || n FROM generate_series(101, 150) n`)
  await scene.expect('the tenant’s documents are there', async () => (await notes(scene, 'late')) === 50)
  await scene.batches()
  await setBack(scene, start)
  await scene.expect('its index is known again, and a verify done', async () =>
    (await scene.verifies()).some(({ reason, state }) => /did not know/.test(reason) && state === 'done'),
  )
  await scene.look()
  await scene.pool.query(`INSERT INTO note VALUES (101, 'late', 'once more')`)
  await scene.moment()
  await writes.stop()
  await scene.atRest()
  const { missing, stale, extra, examples } = await compare({
    pool: scene.pool,
    elasticsearch: scene.elasticsearch.url,
    index: `${scene.index}-note-*`,
    truth: `SELECT id::text, '${scene.index}-note-' || tenant AS index, to_json(note) AS document FROM note ORDER BY id`,
  })
  scene.problems.push(...examples)
  if (missing + stale + extra > 0) {
    scene.problems.push(`notes: ${missing} missing, ${stale} stale, ${extra} extra`)
  }
}

/** How many documents a tenant has; 0 without an index. */
async function notes(scene: Scene, tenant: string): Promise<number> {
  const path = `/${scene.index}-note-${tenant}/_count?ignore_unavailable=true`
  return Number((await scene.request('GET', path)).count)
}
