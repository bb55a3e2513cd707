import type pg from 'pg'
import type { Logger } from 'pino'
import { catalogSettings, gapTexts, readCaptured } from '../capture/capture-gaps.ts'
import {
  type ReplicaSetting,
  readReplicaSettings,
  replicaSettingText,
  takeBackSql,
} from '../capture/replica-settings.ts'
import { inTransaction } from '../postgres/transaction.ts'
import { captureAlarm, isCaptureAlarm, setCaptureAlarm } from '../queue/capture-alarm.ts'
import { clearAlarm } from '../queue/set-alarm.ts'
import type { Chore } from './chores.ts'
import { verifyOnce } from './verify-once.ts'

export interface CaptureWatch {
  readonly pool: pg.Pool
  readonly schema: string
  readonly log: Logger
}

/** With very many partitions it takes its time, and comes again when five hundred times that have passed. */
const SHARE = 500

/** Looks, every ten seconds or less often, whether all changes are seen. */
export function captureChore(watch: CaptureWatch): Chore {
  let dueAt = 0
  return {
    name: 'capture',
    everyMs: 10_000,
    run: async () => {
      const begun = performance.now()
      if (begun < dueAt) return
      await checkCapture(watch)
      dueAt = performance.now() + SHARE * (performance.now() - begun)
    },
  }
}

/**
 * Alarms where changes can go by without a mark: triggers that are gone or off, partitions that came or went, a
 * subscription, `session_replication_role = replica`. A daemon changes no structure, so it says what does. When that is
 * over and no `install` has looked at the document (which takes the alarm away and requests a verify itself), a verify
 * puts right what went by. What came and went between two looks is not seen.
 */
export async function checkCapture({ pool, schema, log }: CaptureWatch): Promise<void> {
  const replica = (await readReplicaSettings(pool)).map(replicaText)
  const captured = await inTransaction(pool, (client) => readCaptured(client, schema), {
    settings: catalogSettings,
  })
  for (const { name: document, alarm, gaps, ordinary } of captured) {
    const texts = [...gapTexts(gaps), ...(ordinary ? replica : [])]
    if (texts.length > 0) {
      const said = captureAlarm(texts)
      if (await setCaptureAlarm(pool, schema, document, said)) log.error({ document, reason: said }, 'alarm')
    } else if (isCaptureAlarm(alarm)) {
      const reason = 'changes could go by without a mark until now'
      await verifyOnce({ pool, schema, log }, { document, reason }, (client) =>
        clearAlarm(client, schema, document, alarm),
      )
    }
  }
}

function replicaText(setting: ReplicaSetting): string {
  return `what sessions change for which session_replication_role is replica, as it is for ${replicaSettingText(setting)} (${takeBackSql(setting)}, and end those sessions)`
}
