import type { SerializedError } from 'vitest'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { skippedLines } from './skipped.ts'

/**
 * One plain last line, `57 passed, 0 failed`, for those who read the end of a log. Before it, what was not run: a program that
 * a test needs is missing, and a promise was not looked at.
 */
export default class CountReporter implements Reporter {
  #chosenByName = false

  onInit(vitest: Vitest): void {
    this.#chosenByName = vitest.config.testNamePattern !== undefined
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const states = tests.map((test) => test.result().state)
    // A file that cannot be loaded, a hook or a stray rejection fails the run without a failed test: each counts.
    const besides =
      modules.flatMap((module) => [...module.errors(), ...suiteErrors(module)]).length + unhandled.length
    const passed = states.filter((state) => state === 'passed').length
    const failed = states.filter((state) => state === 'failed').length + besides
    // No test was reached (the servers did not start): vitest says why.
    if (passed + failed === 0) return
    // With `-t`, all others are skipped.
    const skipped = this.#chosenByName ? [] : tests.filter((test) => test.result().state === 'skipped')
    for (const line of skippedLines(
      skipped.map(({ module, fullName }) => ({ file: module.relativeModuleId, name: fullName })),
    ))
      process.stdout.write(`${line}\n`)
    process.stdout.write(`${passed} passed, ${failed} failed\n`)
  }
}

function suiteErrors(module: TestModule): unknown[] {
  return [...module.children.allSuites()].flatMap((suite) => [...suite.errors()])
}
