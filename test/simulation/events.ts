import type { MemoryElasticsearch } from './memory-elasticsearch.ts'
import type { MemoryPostgres } from './memory-postgres.ts'
import type { Random } from './random.ts'
import type { EventKind, Scenario } from './scenario.ts'
import { type Actor, actor, type Scheduler } from './scheduler.ts'

/** What events happen to. */
interface Stage {
  readonly random: Random
  readonly scenario: Scenario
  readonly scheduler: Scheduler
  readonly postgres: MemoryPostgres
  readonly elasticsearch: MemoryElasticsearch
  /** Those that live. */
  readonly daemons: Actor[]
  /** In place of one that is dead. */
  readonly start: () => void
  readonly isHealed: () => boolean
  readonly saw: (what: string) => void
  readonly fail: (error: unknown) => void
}

/** Faults of servers and processes, until everything heals. */
export async function disturb(stage: Stage): Promise<void> {
  const { random, scenario, scheduler } = stage
  const who = actor('fate')
  for (let n = 0; n < scenario.mostEvents; n++) {
    await scheduler.sleep(who, random.int(0, 2 * scenario.eventEveryMs))
    if (stage.isHealed()) return
    const event = random.pick(scenario.events)
    scheduler.note(event)
    stage.saw(event)
    await happen(event, who, stage)
  }
}

async function happen(event: EventKind, who: Actor, stage: Stage): Promise<void> {
  const { random, scheduler, postgres, elasticsearch, daemons, start, fail } = stage
  const lasts = () => scheduler.sleep(who, random.int(0, 5_000))
  switch (event) {
    case 'crash of Postgres':
      postgres.crash(random.next())
      await lasts()
      postgres.down = false
      return
    case 'cut of a session': {
      const { sessions } = postgres
      if (sessions.length > 0) postgres.end(random.pick(sessions))
      return
    }
    case 'stall of a daemon':
      random.pick(daemons).stalledUntil = scheduler.now() + random.int(0, 150_000)
      return
    case 'kill of a daemon': {
      const victim = random.pick(daemons)
      victim.alive = false
      daemons.splice(daemons.indexOf(victim), 1)
      // Its sessions end when the server notices.
      const sessions = postgres.sessions.filter(({ owner }) => owner === victim.name)
      scheduler
        .step(
          who,
          'the sessions of the dead end',
          () => {
            for (const one of sessions) postgres.end(one)
          },
          {
            afterMs: random.int(0, 10_000),
          },
        )
        .catch(fail)
      start()
      return
    }
    case 'Elasticsearch away':
      elasticsearch.down = true
      await lasts()
      elasticsearch.down = false
      return
    case 'an index takes no writes': {
      const index = random.pick([...elasticsearch.indices.keys()])
      elasticsearch.blocked.add(index)
      await lasts()
      elasticsearch.blocked.delete(index)
    }
  }
}
