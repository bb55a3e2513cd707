import { join } from 'node:path'
import { startPostgres } from '../support/servers/index.ts'
import { coldCopy, dump, restore } from './copies.ts'
import type { Scene } from './scene.ts'

/** A dump of an hour ago, so to speak, is restored into a new cluster, which takes the old one's place. */
export async function restoredDump(scene: Scene, postgresVersion: number): Promise<void> {
  await scene.write()
  const file = join(scene.logs, 'dump.sql')
  scene.say('pg_dump; the application writes on: these transactions will be lost')
  await dump(scene.postgres.url, file)
  await scene.moment()
  scene.say('the server is lost; the dump is restored into a new cluster behind the same address')
  await scene.postgres.kill('SIGKILL')
  const restored = await scene.keep(await startPostgres({ version: postgresVersion }))
  await restore(restored.url, file)
  await scene.believe(restored)
  scene.address.lead(restored.port, { cut: true })
  await scene.verifyAsked(/another server or timeline/)
  await scene.look()
  await scene.moment()
}

/** A disk snapshot: the same system identifier, the same timeline, and a past that the original has left behind. */
export async function coldCopied(scene: Scene): Promise<void> {
  await scene.write()
  scene.say(
    'the data directory is copied, as a disk snapshot; the application writes on: these transactions will be lost',
  )
  const start = await coldCopy(scene.postgres)
  await scene.batches()
  await scene.daemon.kill(0)
  scene.say('the server and the daemon are lost; the copy is started, and a new daemon')
  await scene.postgres.kill('SIGKILL')
  const copy = await scene.keep(await start())
  await scene.believe(copy)
  scene.address.lead(copy.port, { cut: true })
  scene.daemon.start(0)
  await scene.verifyAsked(/never drawn/)
  await scene.look()
  await scene.moment()
}

/** The address leads to a copy while the original is up, connections that are there go on, and nobody writes: nothing breaks. */
export async function silentCopy(scene: Scene): Promise<void> {
  await scene.write()
  const start = await coldCopy(scene.postgres)
  await scene.batches()
  const writes = await scene.write()
  await writes.stop()
  await scene.atRest()
  scene.say('the address leads to a copy of the data directory; connections that are there are left alone')
  const copy = await scene.keep(await start())
  await scene.believe(copy)
  scene.address.lead(copy.port, { cut: false })
  scene.say('the idle connections end, one after the other')
  await scene.postgres.kill('SIGKILL')
  await scene.verifyAsked(/never drawn/)
  await scene.look()
  await scene.write()
}

/** Somebody has set the sequence of versions back by hand. */
export async function sequenceSetBack(scene: Scene): Promise<void> {
  await scene.write()
  scene.say('setval: the sequence of versions goes back by an hour')
  await scene.pool.query(
    "SELECT setval('sluice.sync_version', last_value - 3600000000) FROM sluice.sync_version",
  )
  await scene.verifyAsked(/version/)
  await scene.look()
  await scene.moment()
}

/** All of sluice is removed from the database, then installed again; the indices stay, or go. */
export async function reinstalled(
  scene: Scene,
  { keepIndices }: { readonly keepIndices: boolean },
): Promise<void> {
  await scene.write()
  await scene.daemon.kill(0)
  scene.say(`uninstall${keepIndices ? ' --keep-indices' : ''}; the application writes on`)
  const kept = keepIndices ? ['--keep-indices'] : []
  await scene.look(['uninstall', '--yes', ...kept])
  await scene.moment()
  scene.say('install, and the daemon is started again')
  await scene.look(['install'])
  if (keepIndices) {
    scene.say('install names the index that was kept: it is deleted, as it says')
    await scene.request('DELETE', `/${scene.index}-2*`)
    await scene.look(['install'])
  }
  scene.daemon.start(0)
  await scene.moment()
  await scene.look()
}
