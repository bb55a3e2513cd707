/** A sleep that can be cut short, for loops that wait for time or news, whichever comes first. */
export class Wakeable {
  #wake: (() => void) | undefined

  /** Resolves after `ms`, or at the next `wake()`. One sleeper at a time. */
  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  wake(): void {
    this.#wake?.()
  }
}
