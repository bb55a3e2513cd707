import { ending } from './steps-ending.ts'
import { installing } from './steps-installing.ts'
import { operating } from './steps-operating.ts'
import { runs } from './steps-runs.ts'
import type { Chapter } from './world.ts'

/**
 * Commands of the documents in an order that makes sense, with what has to come. `run` is the text as the documents have
 * it; where one of them is changed there, it has to be changed here: test/unit/docs-commands.test.ts compares.
 */

export const chapters: readonly Chapter[] = [...installing, ...operating, ...runs, ...ending]
