import type { Step } from './steps.ts'

/** Collects what is to be done in the database for one document. */
export class Changes {
  readonly #document: string
  readonly #steps: Step[] = []
  readonly views: string[] = []
  readonly functions: string[] = []
  readonly triggers: string[] = []
  missed = false

  constructor(document: string) {
    this.#document = document
  }

  step(action: Step['action'], what: string): void {
    this.#steps.push({ action, document: this.#document, what })
  }

  result() {
    const { views, functions, triggers, missed } = this
    const viewChanged = views.length > 0
    return { steps: this.#steps, views, functions, triggers, missedChanges: missed, viewChanged }
  }
}
