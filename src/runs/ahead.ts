/** Fetches the next page while the present one is worked on. */
export async function* ahead<T>(pages: AsyncGenerator<T, void, void>): AsyncGenerator<T, void, void> {
  let coming = pages.next()
  try {
    for (;;) {
      const page = await coming
      if (page.done === true) return
      coming = pages.next()
      // Its failure is told when it is asked for, which may be never.
      coming.catch(() => undefined)
      yield page.value
    }
  } finally {
    await coming.catch(() => undefined)
    await pages.return()
  }
}
