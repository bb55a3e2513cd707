/** An exit code of 128 + 2, as a shell has it for a process that ended by SIGINT. */
const interruptedCode = 130

/** A signal that SIGINT and SIGTERM abort, so that a command can end in order; the second one ends it at once. */
export function takeOverSignals(): AbortSignal {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(interruptedCode)
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
