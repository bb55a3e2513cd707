import { createInterface } from 'node:readline/promises'
import { UsageError } from '../errors.ts'

/** Asks on the terminal, where only "yes" is a yes. UsageError where there is nobody to ask: with --json, or in a pipe. */
export async function confirm(question: string, { json }: { readonly json: boolean }): Promise<boolean> {
  if (json || !process.stdin.isTTY) {
    throw new UsageError('there is nobody to ask, and nothing was changed', { remedy: 'Say --yes.' })
  }
  const questions = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await questions.question(`${question} Type yes: `)
    return answer.trim().toLowerCase() === 'yes'
  } finally {
    questions.close()
  }
}
