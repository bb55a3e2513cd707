import type { SerializedError } from 'vitest'
import type { Reporter, TestModule } from 'vitest/node'

/** One plain last line, `57 passed, 0 failed`, for those who read the end of a log. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const states = modules
      .flatMap((module) => [...module.children.allTests()])
      .map((test) => test.result().state)
    // A file that cannot be loaded, a hook or a stray rejection fails the run without a failed test: each counts.
    const besides =
      modules.flatMap((module) => [...module.errors(), ...suiteErrors(module)]).length + unhandled.length
    const passed = states.filter((state) => state === 'passed').length
    const failed = states.filter((state) => state === 'failed').length + besides
    // No test was reached (the servers did not start): vitest says why.
    if (passed + failed === 0) return
    process.stdout.write(`${passed} passed, ${failed} failed\n`)
  }
}

function suiteErrors(module: TestModule): unknown[] {
  return [...module.children.allSuites()].flatMap((suite) => [...suite.errors()])
}
