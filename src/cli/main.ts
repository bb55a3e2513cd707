#!/usr/bin/env node
import { tooOld } from './node-version.ts'

// Imports nothing else before it has looked: with an older Node the rest cannot even be linked.
const problem = tooOld(process.versions.node)
if (problem === null) await import('./dispatch.ts')
else {
  const { message, remedy } = problem
  if (process.argv.includes('--json')) {
    const error = { code: 'usage', message, where: null, remedy }
    process.stdout.write(`${JSON.stringify({ error }, null, 2)}\n`)
  } else process.stderr.write(`error: ${message}\n  → ${remedy}\n`)
  process.exitCode = 2
}
