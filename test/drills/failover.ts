import { startSteadyWrites } from '../chaos/steady-writes.ts'
import type { PostgresServer } from '../support/servers/index.ts'
import { promote, startStandby, withClient } from './copies.ts'
import type { Scene } from './scene.ts'

/** The standby stops receiving: what is committed from now on is lost when it is promoted. */
async function cutReplication(standby: PostgresServer): Promise<void> {
  await withClient(standby.url, async (client) => {
    await client.query("ALTER SYSTEM SET primary_conninfo = ''")
    await client.query('SELECT pg_reload_conf()')
  })
}

/** Standby, writes, replication cut, more writes that will be lost, all of them indexed. */
async function losingStandby(scene: Scene): Promise<PostgresServer> {
  const standby = await scene.keep(await startStandby(scene.postgres))
  await scene.write()
  scene.say('replication stops; the application writes on: these transactions will be lost')
  await cutReplication(standby)
  await scene.moment()
  return standby
}

/** An asynchronous standby is promoted behind the same address; the last transactions are lost. */
export async function failover(scene: Scene): Promise<void> {
  const standby = await losingStandby(scene)
  scene.say('the primary dies; the address leads to the standby, which is not promoted yet')
  await scene.postgres.kill('SIGKILL')
  scene.address.lead(standby.port, { cut: true })
  await scene.expect('the daemon says that it met a standby', async () =>
    (await scene.logged()).some((line) => /standby/.test(line)),
  )
  scene.say('the standby is promoted')
  await promote(standby)
  await scene.believe(standby)
  await scene.verifyAsked(/another server or timeline/)
  await scene.look()
  await scene.moment()
}

/** The old primary was only cut off from some: it is up, an application writes to it, and a daemon follows it. */
export async function splitBrain(scene: Scene): Promise<void> {
  const standby = await losingStandby(scene)
  scene.say('the standby is promoted; the old primary stays up, with its application and its daemon')
  await promote(standby)
  await scene.believe(standby)
  await scene.configure('promoted', standby.url)
  const old = startSteadyWrites(scene.postgres.url, 50)
  await scene.write(standby.url)
  await scene.startDaemon('promoted')
  await scene.verifyAsked(/another server or timeline/)
  await scene.moment(8_000)
  await scene.look(['status'], 'promoted')
  await scene.look(['status'])
  scene.say('the old primary’s application, its daemon and the old primary itself end')
  await old.stop()
  await scene.daemon.end()
  await scene.postgres.kill('SIGKILL')
  await scene.moment(5_000)
  await scene.look(['status'], 'promoted')
}
